#' The way to Python
#'
#' @param x A matrix, data frame, `SummarizedExperiment` or `PharmacoSet`, corrected or not, or an
#'   [rtdmf_result()]. Drugs and cell lines need names.
#' @param path File to write, `.h5ad`; whole or not at all.
#' @param overwrite Whether an existing file may be replaced.
#' @param ... For a `PharmacoSet`, what is to be read: `measure`, `summary`, `higher_is`, `unit`,
#'   `kind`, `censored`, `out_of_range`, `combinations` and `unmatched`, as for [rtdmf_correct()].
#'
#' @return `as_anndata`: an AnnData of drugs x cell lines as a Python object of reticulate. What was
#'   corrected has the layers `rtdmf`, `rtdmf_residual`, `rtdmf_flag`, `rtdmf_lower`, `rtdmf_upper`,
#'   `rtdmf_sd` and `rtdmf_qvalue`, groups in `var` and everything else in `uns["rtdmf"]`, so that `rtdmf_bio.pl` and `rtdmf_bio.tl` take it. A
#'   `SummarizedExperiment` keeps all its assays, `rowData` and `colData`, a `PharmacoSet` the
#'   annotation of drugs and lines (for the correction of one, pass its [rtdmf_result()]), and where
#'   values are bounds the layer `censored`: 1 where the true value is there or above, -1 where it
#'   is there or below.
#'
#'   `write_h5ad`: the path, invisibly.
#' @export
#' @examplesIf rtdmfbio::rtdmf_status()$ready
#' as_anndata(rtdmf_gdsc1("matrix")[1:10, 1:20])
as_anndata <- function(x, ...) {
  do.call(call_python, c("anndata", parts_of(x, ...)))
  bridge_objects()$take()
}

#' @rdname as_anndata
#' @export
write_h5ad <- function(x, path, overwrite = TRUE, ...) {
  path <- path.expand(path)
  do.call(call_python, c("write_h5ad", parts_of(x, ...), list(path = path, overwrite = overwrite)))
  invisible(path)
}

# The module once more, to return objects as they are.
bridge_objects <- function() {
  bridge()
  reticulate::import("r_bridge._reticulate", convert = FALSE)
}

taken_apart <- function(x) tryCatch(unpack(x), error = function(e) fail(conditionMessage(e)))

parts_of <- function(x, ...) {
  if (is_pset(x)) return(parts_of.PharmacoSet(x, ...))
  UseMethod("parts_of")
}

#' @export
parts_of.default <- function(x, ...) {
  fail("An AnnData is made of a matrix, a data.frame, a SummarizedExperiment, a PharmacoSet or an ",
       "rtdmf_result. Got an object of class ", paste(class(x), collapse = "/"), ".")
}

#' @export
parts_of.rtdmf_result <- function(x, ...) {
  if (is.null(x$corrected)) fail("Nothing was corrected (refit = FALSE): there is no matrix.")
  own <- intersect(names(layers), names(x))
  assays <- unclass(x)[c("measured", own)]
  name <- if (length(x$measure$name)) x$measure$name else "X"
  names(assays) <- c(name, paste0("rtdmf", layers[own]))
  lines <- if (!is.null(x$groups)) as.data.frame(x$groups, optional = TRUE)
  parts <- taken_apart(list(assays = assays, colData = lines, metadata = list(measure = x$measure)))
  apart <- c(names(layers), "measured", "groups", "measure", "pset", "assay", "axes", "drug")
  c(parts, list(record = unclass(x)[setdiff(names(x), apart)]))
}

#' @export
parts_of.matrix <- function(x, ...) {
  if (inherits(x, "rtdmf_matrix")) return(parts_of(rtdmf_result(x)))
  check_numbers(x)
  taken_apart(bare(x))
}

#' @export
parts_of.data.frame <- function(x, drug = NULL, ...) {
  if (!is.null(attr(x, "rtdmf", exact = TRUE))) return(parts_of(rtdmf_result(x)))
  taken_apart(numbers_of(x, drug)$matrix)
}

#' @export
parts_of.SummarizedExperiment <- function(x, ...) {
  need("SummarizedExperiment")
  parts <- taken_apart(x)
  if (inherits(S4Vectors::metadata(x)$rtdmf, "rtdmf_result")) {
    result <- parts_of(rtdmf_result(x, "rtdmf"))
    parts$record <- result$record
    parts$measure <- result$measure
  }
  parts
}

#' @export
parts_of.PharmacoSet <- function(x, measure = NULL, summary = "median", higher_is = NULL,
                                 unit = NULL, kind = NULL, censored = "bound",
                                 out_of_range = "keep", combinations = "error",
                                 unmatched = "error", ...) {
  list(
    pset = tables_of(x),
    reading = reading(measure = measure, summary = summary, higher_is = higher_is, unit = unit,
                      kind = kind, censored = censored, out_of_range = out_of_range,
                      combinations = combinations, unmatched = unmatched)
  )
}
