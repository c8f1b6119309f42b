"""PharmacoSets: found in a file, read as tables, made an AnnData, and given a measure back."""
