# What to_r does inside R, evaluated beside bridge.R and parts.R. Base R, and SummarizedExperiment
# where the user has it.

as_factor <- function(codes, levels, ordered) {
  structure(codes, levels = levels, class = c(if (ordered) "ordered", "factor"))
}

as_frame <- function(columns, rows) structure(columns, row.names = rows, class = "data.frame")

# Vectors, each a matrix column after column, and tables as one object.
pack <- function(assays, row_data, col_data, metadata, as_se) {
  names <- list(attr(row_data, "row.names"), attr(col_data, "row.names"))
  assays <- lapply(assays, function(x) {
    dim(x) <- lengths(names)
    dimnames(x) <- names
    x
  })
  if (!as_se) {
    return(list(assays = assays, rowData = row_data, colData = col_data, metadata = metadata))
  }
  SummarizedExperiment::SummarizedExperiment(
    assays = assays,
    rowData = methods::as(row_data, "DataFrame"),
    colData = methods::as(col_data, "DataFrame"),
    metadata = metadata
  )
}
