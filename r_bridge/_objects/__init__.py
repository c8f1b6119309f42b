"""Matrices, data frames and SummarizedExperiments of R files."""
