#' Correct and complete a drug-sensitivity screen
#'
#' Residual thresholded deep matrix factorization: predicts every entry from the others by fits that
#' have not seen it, and draws a measurement towards this prediction as far as the noise of its drug
#' asks for. High residuals that cluster in a group of cell lines, or are more than noise, are kept;
#' what was not measured is imputed.
#'
#' @param x Drugs in rows and cell lines in columns, `NA` where not measured:
#'   - a numeric matrix;
#'   - a data frame of numeric columns, one per cell line. Drugs are named by its row names or by a
#'     column (see `drug`);
#'   - a `SummarizedExperiment`;
#'   - a `PharmacoSet` of any generation, whether or not PharmacoGx is installed. Replicates are
#'     summarised as PharmacoGx does.
#' @param groups Groups of cell lines, such as tissues, whose high residuals are tested for
#'   enrichment. For a matrix or data frame: one label per column, as character, factor or number; a
#'   vector with names, or the rows of a data frame with row names, are matched to the column names;
#'   a data frame or list holds several groupings. For the other classes: the name of one or more
#'   columns of `colData`, or of the PharmacoSet's table of samples. `NULL`: no groups.
#' @param higher_is What a higher value means, `"resistant"` or `"sensitive"`. It names the sides of
#'   the enrichment, which are otherwise called above and below. For a PharmacoSet it is known of
#'   PharmacoGx's own measures, and checked.
#' @param drug Name of the column that names the drugs; by default the only column of text, if there
#'   is one.
#' @param assay Name or number of the assay to correct; by default the first.
#' @param measure Sensitivity measure to correct; by default `aac_recomputed` or `auc_recomputed`,
#'   whichever is there, or the only one.
#' @param summary One value out of replicates: `"median"`, `"mean"`, `"first"`, `"last"`, `"max"` or
#'   `"min"`.
#' @param unit Unit of the measure, where it is not one of PharmacoGx's own.
#' @param kind What the measure is, instead of `higher_is` and `unit`, such as `"dss"` or
#'   `"auc_ctrp"`; another word lists what there is.
#' @param censored Values only known to lie beyond a bound, as an infinite IC50, or text such as
#'   `>8`: `"bound"` (that of an infinite IC50 is the largest dose of its experiment, or else the
#'   largest finite value of the drug), `"nan"` (left out), `"keep"` (infinite values stay so) or
#'   `"error"`.
#' @param out_of_range Values outside the bounds of the measure, before the summary: `"keep"`,
#'   `"nan"` (left out) or `"clip"`. Where more than a few are, the measure is refused.
#' @param combinations Combinations of treatments: `"error"`, or `"join"` to take each as a drug
#'   named `A///B`.
#' @param unmatched Experiments whose drug or line is missing, or is not in the tables of the
#'   PharmacoSet: `"error"`, or `"drop"` as PharmacoGx does.
#' @param key_added Name of what is added.
#' @param measure_name Name of the new measure; by default the old one's and `key_added`, such as
#'   `auc_recomputed_rtdmf`.
#' @param overwrite Replace assays of that name that are there already.
#' @param ... Settings, see [rtdmf_control()], such as `threshold` or `progress`.
#'
#' @return An object like `x`, which itself stays as it is. What was done to it is in
#'   [rtdmf_result()], [rtdmf_flags()] and [rtdmf_enrichment()].
#'   - matrix: the corrected matrix, of class `rtdmf_matrix`, which prints and plots itself. It has
#'     the attribute `rtdmf`; a subset or a transformation of it is a plain matrix.
#'   - data frame: the corrected one, with the attribute `rtdmf`.
#'   - `SummarizedExperiment`: with the assays `rtdmf`, `rtdmf_residual`, `rtdmf_flag`,
#'     `rtdmf_lower`, `rtdmf_upper`, `rtdmf_sd` and `rtdmf_qvalue`, counts `rtdmf_n_retained` and `rtdmf_n_imputed` in `rowData` and `colData`, and `metadata$rtdmf`.
#'   - `PharmacoSet`: with two more columns in its sensitivity profiles, the corrected measure and
#'     its flags, which every experiment gets of its drug and line, and an entry in
#'     `annotation$rtdmf_bio`. PharmacoGx lists, subsets and summarises the new measure. A pair
#'     that was never tested has no experiment to hold its imputed value: a message says how many,
#'     and `rtdmf_result(x)$corrected` has them.
#'
#'   Flags are 0 imputed, 1 measured and corrected, 2 high residual not retained, 3 high residual
#'   retained.
#' @section Errors:
#' What Python refuses comes as an R error of class `rtdmf_error` with Python's message; where there
#' is no Python, of class `rtdmf_no_python`.
#' @references Hu et al., Briefings in Bioinformatics 2025.
#' @seealso [rtdmf_tune()] to choose settings by hold-out, [as_anndata()] for the way to Python.
#' @export
#' @examplesIf rtdmfbio::rtdmf_status()$ready
#' x <- rtdmf_gdsc1("matrix")
#' lines <- names(sort(attr(x, "tissue")))[1:200]
#' corrected <- rtdmf_correct(x[1:60, lines], groups = attr(x, "tissue"), progress = FALSE)
#' corrected
#' head(rtdmf_enrichment(corrected), 3)
rtdmf_correct <- function(x, ...) {
  if (is_pset(x)) return(rtdmf_correct.PharmacoSet(x, ...))
  UseMethod("rtdmf_correct")
}

#' @rdname rtdmf_correct
#' @export
rtdmf_correct.matrix <- function(x, groups = NULL, higher_is = NULL, ...) {
  record <- fit(screen(x, groups, list(higher_is = higher_is)), ...)$record
  record$measured <- bare(x)
  as_corrected(record, x)
}

#' @rdname rtdmf_correct
#' @export
rtdmf_correct.data.frame <- function(x, groups = NULL, drug = NULL, higher_is = NULL, ...) {
  parts <- numbers_of(x, drug)
  record <- fit(screen(parts$matrix, groups, list(higher_is = higher_is)), ...)$record
  record$measured <- parts$matrix
  record$drug <- parts$drug
  if (is.null(record$corrected)) return(new_result(record))
  # Column by column of the bare list: classes of data frames each have rules of their own.
  kept <- attributes(x)
  x <- unclass(x)
  for (j in seq_along(parts$columns)) x[[parts$columns[j]]] <- as.vector(record$corrected[, j])
  attributes(x) <- kept
  attr(x, "rtdmf") <- without(record, "corrected")
  x
}

#' @export
rtdmf_correct.default <- function(x, ...) {
  sparse <- methods::is(x, "Matrix")
  fail("rtdmf_correct takes a matrix, a data.frame, a SummarizedExperiment or a PharmacoSet, with ",
       "drugs in rows and cell lines in columns. Got an object of class ",
       paste(class(x), collapse = "/"),
       if (sparse) ", where a blank means zero. as.matrix(x), with NA where nothing was measured",
       ".")
}

# Fit what `screen` or `tables` made. `...` are settings, and `search`, those of a tuning.
fit <- function(job, ..., search = NULL) {
  settings <- rtdmf_control(...)
  if (!is.null(names(settings$noise_sd))) settings$noise_sd <- as.list(settings$noise_sd)
  if (is.null(search)) {
    do.call(call_python, c("correct", job, list(settings = settings)))
  } else {
    do.call(call_python, c("tune", job, list(settings = c(settings, search))))
  }
}

# A matrix as Python takes it.
screen <- function(x, groups, measure) {
  check_numbers(x)
  list(
    matrix = matrix(as.double(x), nrow(x), ncol(x)),
    rows = axis_names(rownames(x), nrow(x), "row", "drug"),
    columns = axis_names(colnames(x), ncol(x), "column", "cell line"),
    groups = labels_of(groups, colnames(x), ncol(x)),
    measure = for_python(measure)
  )
}

check_numbers <- function(x) {
  if (is.numeric(x) && (is.null(oldClass(x)) || inherits(x, "rtdmf_matrix"))) return(invisible())
  if (is.logical(x) && length(x) && all(is.na(x))) return(invisible())  # R's bare NA.
  kind <- if (is.object(x)) paste(class(x), collapse = "/") else typeof(x)
  example <- if (is.character(x)) utils::head(x[is.na(suppressWarnings(as.numeric(x)))], 1)
  fail("A drug-sensitivity measure is a number, and the values are ", kind,
       if (length(example)) paste0(", such as ", encodeString(example, quote = "'")), ". ",
       "Convert them, e.g. storage.mode(x) <- \"double\", with NA where nothing was measured.")
}

# Names of rows or columns; their numbers where there are none.
axis_names <- function(names, n, what, of) {
  if (is.null(names)) return(as.character(seq_len(n)))
  blank <- which(is.na(names) | !nzchar(names))
  if (length(blank)) {
    fail(length(blank), " ", what, "(s) have no name (NA or empty), such as ", what, " ", blank[1],
         ", which is what a ", of, " is known by. Name them, or leave out the names of all.")
  }
  twice <- unique(names[duplicated(names)])
  if (length(twice)) {
    fail(length(twice), " ", of, " name(s) occur more than once: ", some(twice),
         ". Summarise the replicates, or make the names unique.")
  }
  names
}

# Refuse what is not one word.
check_name <- function(value, argument) {
  fine <- is.character(value) && length(value) == 1 && !is.na(value) && nzchar(value)
  if (!fine) {
    fail("The ", argument, " argument must be a single name. Got ",
         paste(deparse(value, nlines = 1), collapse = ""), ".")
  }
}

some <- function(names, limit = 5) {
  shown <- paste0("'", utils::head(names, limit), "'", collapse = ", ")
  if (length(names) > limit) paste(shown, "and", length(names) - limit, "more") else shown
}

# Groups of the lines as a list of character vectors, in the order of the lines.
labels_of <- function(groups, lines, n) {
  if (!length(groups)) return(NULL)
  if (is.data.frame(groups)) {
    rows <- .row_names_info(groups) > 0L
    keys <- names(groups)
    groups <- lapply(groups, function(g) if (rows) stats::setNames(g, row.names(groups)) else g)
  } else if (is.list(groups)) {
    keys <- names(groups)
  } else {
    groups <- list(groups)
    keys <- "group"
  }
  if (!length(groups) || is.null(keys) || anyNA(keys) || !all(nzchar(keys)) || anyDuplicated(keys)) {
    fail("Several groupings need a name each. Pass groups as list(tissue = ..., subtype = ...).")
  }
  stats::setNames(Map(function(g, key) labels_of_one(g, key, lines, n), groups, keys), keys)
}

labels_of_one <- function(group, key, lines, n) {
  if (!is.atomic(group) || is.null(group)) {
    fail("The groups must be a label per cell line. Got ", class(group)[1], " for '", key, "'.")
  }
  names <- names(group)
  group <- as.character(group)
  if (!is.null(names) && !is.null(lines)) {
    at <- match(lines, names)
    if (anyNA(at)) {
      fail(sum(is.na(at)), " of ", n, " cell lines are not among the names of the groups: ",
           some(lines[is.na(at)]), ". Name every line, with NA for no group, or pass ",
           "unname(groups) if they are in the order of the columns.")
    }
    return(group[at])
  }
  if (length(group) != n) {
    fail("The groups must be one label per cell line (column), which are ", n, ". Got ",
         length(group), if (length(group) == 1) paste0(" ('", group, "')"), ".")
  }
  group
}

# The numeric columns of a data frame as a matrix, and their positions.
numbers_of <- function(x, drug = NULL) {
  is_text <- vapply(x, function(col) is.character(col) || is.factor(col), NA)
  if (is.null(drug)) {
    at <- which(is_text)
    if (length(at) > 1) {
      fail("The data frame has ", length(at), " columns of text, ", some(names(x)[at]), ". Pass ",
           "the one that names the drugs as drug, and leave the others out. (A table with one row ",
           "per measurement must first be made wide: drugs in rows, cell lines in columns.)")
    }
  } else {
    at <- match(drug, names(x))
    if (length(at) != 1 || is.na(at)) {
      fail("The data frame has no column ", some(drug), ". It has ", some(names(x)), ".")
    }
  }
  columns <- setdiff(seq_along(x), at)
  for (j in columns) {
    tryCatch(check_numbers(x[[j]]), error = function(e) {
      fail("The column '", names(x)[j], "': ", conditionMessage(e))
    })
    if (length(dim(x[[j]])) > 1) fail("The column '", names(x)[j], "' is a matrix.")
  }
  values <- vapply(columns, function(j) as.double(x[[j]]), numeric(nrow(x)))
  rows <- if (length(at)) as.character(x[[at]]) else if (.row_names_info(x) > 0L) row.names(x)
  list(
    matrix = matrix(values, nrow(x), length(columns), dimnames = list(rows, names(x)[columns])),
    columns = columns,
    drug = if (length(at)) names(x)[at]
  )
}
