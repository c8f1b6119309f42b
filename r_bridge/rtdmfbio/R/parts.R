# A SummarizedExperiment, list or matrix in parts, for Python; NULL for an object of any other kind.
# This file is also evaluated by rtdmf_bio itself: base R, and SummarizedExperiment where it is.
unpack <- function(x) {
  if (inherits(x, "SummarizedExperiment")) {
    x <- list(
      assays = as.list(SummarizedExperiment::assays(x)),
      rowData = SummarizedExperiment::rowData(x),
      colData = SummarizedExperiment::colData(x),
      metadata = S4Vectors::metadata(x)
    )
  } else if (is_numbers(x)) {
    x <- list(assays = list(x))
  } else if (!is.list(x) || is.data.frame(x) || !is.list(x[["assays"]])) {
    return(NULL)
  }
  assays <- lapply(x[["assays"]], function(a) if (isS4(a)) as.matrix(a) else a)
  names <- check_assays(assays)
  metadata <- as.list(x[["metadata"]])
  enrichment <- metadata[["enrichment"]]
  if (!is.null(enrichment)) enrichment <- as.data.frame(enrichment, optional = TRUE)
  list(
    assays = assays,
    rows = names$rownames,
    columns = names$colnames,
    rowData = columns_of(x[["rowData"]], names$rownames, "rowData"),
    colData = columns_of(x[["colData"]], names$colnames, "colData"),
    measure = if (is.list(metadata[["measure"]])) metadata[["measure"]],
    enrichment = columns_of(enrichment, row.names(enrichment), "metadata$enrichment"),
    enrichment_rows = row.names(enrichment)
  )
}

is_numbers <- function(x) is.matrix(x) && (is.numeric(x) || is.logical(x))

# The names of rows and columns, as a list of two.
check_assays <- function(assays) {
  if (!length(assays)) stop("The object has no assay.")
  first <- assays[[1]]
  for (i in seq_along(assays)) {
    x <- assays[[i]]
    if (!is_numbers(x)) {
      stop("Assay ", i, " is no matrix of numbers, but of class ",
           paste(class(x), collapse = "/"), ". Leave it out.")
    }
    same <- is.null(dimnames(x)) || identical(unname(dimnames(x)), unname(dimnames(first)))
    if (!same || !identical(dim(x), dim(first))) {
      stop("Assay ", i, " has other rows or columns than assay 1.")
    }
  }
  names <- list(rownames = rownames(first), colnames = colnames(first))
  for (what in names(names)) {
    found <- names[[what]]
    if (anyNA(found) || length(found) < dim(first)[match(what, names(names))]) {
      stop("A matrix needs names of drugs in its rows and of cell lines in its columns. In R: ",
           what, "(x) <- ...")
    }
    twice <- unique(found[duplicated(found)])
    if (length(twice)) {
      stop("The ", what, " '", paste(twice[seq_len(min(3, length(twice)))], collapse = "', '"),
           "' occur more than once. Make them unique.")
    }
  }
  names
}

# The columns of a data.frame or DataFrame about the things called `names`.
columns_of <- function(frame, names, what) {
  if (is.null(frame)) return(NULL)
  frame <- as.data.frame(frame, optional = TRUE)
  rows <- attr(frame, "row.names")
  named <- is.character(rows) && length(rows)
  if (nrow(frame) != length(names) || named && !identical(rows, names)) {
    stop(what, " has other row names than the assays. Bring it into their order.")
  }
  if (anyDuplicated(names(frame))) stop(what, " has several columns of one name.")
  lapply(frame, function(x) if (inherits(x, c("Date", "POSIXt"))) as.character(x) else x)
}
