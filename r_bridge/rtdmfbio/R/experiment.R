#' @rdname rtdmf_correct
#' @export
rtdmf_correct.SummarizedExperiment <- function(x, assay = NULL, groups = "tissue",
                                               higher_is = NULL, key_added = "rtdmf",
                                               overwrite = FALSE, ...) {
  need("SummarizedExperiment")
  check_name(key_added, "key_added")
  assay <- which_assay(x, assay)
  measure <- S4Vectors::metadata(x)$measure
  if (!is.list(measure) || !identical(measure$name, assay)) measure <- list(name = assay)
  measure <- lapply(measure[c("name", "unit", "higher_is")], function(m) if (is.character(m)) m)
  if (!is.null(higher_is)) measure$higher_is <- higher_is
  new <- stats::setNames(paste0(key_added, layers), names(layers))
  there <- intersect(new, SummarizedExperiment::assayNames(x))
  if (length(there) && !overwrite) {
    fail("The assay(s) ", some(there), " are there already. Pass overwrite = TRUE to replace them, ",
         "or another key_added.")
  }
  values <- as.matrix(SummarizedExperiment::assay(x, assay))
  groups <- columns_named(SummarizedExperiment::colData(x), groups, "colData")
  record <- fit(screen(values, groups, measure), ...)$record
  record$assay <- assay
  record$axes <- dimnames(record$corrected)
  if (is.null(record$corrected)) return(new_result(record))
  for (name in names(new)) {
    SummarizedExperiment::assay(x, new[[name]], withDimnames = FALSE) <- bare(record[[name]], values)
  }
  counts <- c(paste0(key_added, "_n_retained"), paste0(key_added, "_n_imputed"))
  retained <- flagged(record$flag, retained_codes)
  imputed <- flagged(record$flag, flag_codes[["imputed"]]) & !is.na(record$corrected)
  SummarizedExperiment::rowData(x)[counts] <- lapply(list(retained, imputed), count, rowSums)
  SummarizedExperiment::colData(x)[counts] <- lapply(list(retained, imputed), count, colSums)
  S4Vectors::metadata(x)[[key_added]] <- without(record, names(layers))
  x
}

count <- function(which, sums) as.integer(sums(which))

need <- function(package) {
  if (requireNamespace(package, quietly = TRUE)) return(invisible())
  fail("The package ", package, " is not installed. BiocManager::install(\"", package, "\")")
}

which_assay <- function(x, assay) {
  names <- SummarizedExperiment::assayNames(x)
  if (!length(names) || !all(nzchar(names))) {
    fail("The SummarizedExperiment has an assay without a name, by which the result would refer to ",
         "it. Name it, e.g. assayNames(x) <- \"auc\".")
  }
  if (is.null(assay)) return(names[1])
  found <- if (is.numeric(assay)) names[assay] else intersect(assay, names)
  if (length(found) != 1 || is.na(found)) {
    fail("There is no assay ", some(assay), ". The SummarizedExperiment has ", some(names), ".")
  }
  found
}

# Columns of a table of cell lines as a list.
columns_named <- function(table, names, what) {
  if (!length(names)) return(NULL)
  lost <- setdiff(names, colnames(table))
  if (!is.character(names) || length(lost)) {
    fail(what, " has no column ", some(lost), ". It has ", some(colnames(table), 20), "; pass one ",
         "of them as groups, or NULL to do without groups of cell lines.")
  }
  names <- unique(names)
  stats::setNames(lapply(names, function(name) {
    column <- table[[name]]
    if (isS4(column)) as.vector(column) else column  # such as Rle
  }), names)
}
