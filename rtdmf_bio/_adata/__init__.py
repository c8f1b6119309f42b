"""What a screen and a correction are inside an AnnData; between model and pp."""
