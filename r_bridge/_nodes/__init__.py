"""R objects as a tree, whichever back end reads them, and arrays as vectors on the way back."""
