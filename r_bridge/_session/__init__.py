"""Data in a running R: as objects in that of rpy2, as bytes for that of the R package rtdmfbio."""
