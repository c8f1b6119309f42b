# A record of a correction is a list: the matrix `measured` and those named here, which an assay or
# a layer has under `rtdmf` and what follows; the `measure`, the data frame `enrichment`, and what
# else Python keeps in uns["rtdmf"].
layers <- c(corrected = "", residual = "_residual", flag = "_flag", lower = "_lower",
            upper = "_upper", sd = "_sd", qvalue = "_qvalue")
new_result <- function(record) structure(record, class = "rtdmf_result")

without <- function(record, names) new_result(unclass(record)[!names(record) %in% names])

# The matrix that a user gets.
as_corrected <- function(record, like) {
  record <- new_result(record)
  if (is.null(record$corrected)) return(record)
  corrected <- bare(record$corrected, like)
  attr(corrected, "rtdmf") <- without(record, "corrected")
  class(corrected) <- c("rtdmf_matrix", "matrix", "array")
  corrected
}

# A plain matrix with the names of `like`.
bare <- function(x, like = x) {
  matrix(as.vector(unclass(x)), nrow(x), ncol(x), dimnames = dimnames(like))
}

#' What a correction did
#'
#' @param x What [rtdmf_correct()] or [rtdmf_tune()] returned.
#'   A PharmacoSet keeps the result of all its drugs and lines, also when it is subset.
#' @param key `key_added` of a SummarizedExperiment, or name of the new measure of a PharmacoSet; by
#'   default the one that is there.
#' @param fdr Keep rows with a q value of at most this.
#' @param ... Passed on.
#'
#' @return `rtdmf_result`: a list of class `rtdmf_result`, which prints and plots itself, with
#'   - `corrected`, `measured`, `residual` (measurement minus broad structure, by a fit that has not
#'     seen it) and `flag`: matrices, drugs in rows and cell lines in columns, in the unit of the
#'     measure;
#'   - `lower`, `upper`, `sd`: matrices, interval and standard deviation, where imputed of a
#'     measurement, where measured of its error-free value; `NA` without `"shrink"`;
#'   - `qvalue`: matrix, the false discovery rate at which a residual is more than noise, `NA` where
#'     not measured;
#'   - `enrichment`: see below; `NULL` without groups;
#'   - `threshold`, `threshold_how`; `unexplained_sd`, `unexplained_sd_by_drug` (spread of what broad
#'     structure leaves), `unexplained_beyond` (share of it, taken as normal, beyond the threshold);
#'   - `noise`: where the noise of the measurements is known from, and how far they were moved;
#'   - `validation_rmse`: error on held-out entries, beside that of drug mean + line mean and of the
#'     grand mean;
#'   - `params`, `history`, `n_iter`, `stop_reason`, `stop_message`, `rank`, `versions`, `device` and
#'     more, as in Python; after [rtdmf_tune()] `tuning`, `tuning_scores` and `tuning_params`.
#'
#' `rtdmf_flags`: integer matrix, drugs in rows and cell lines in columns: 0 imputed, 1 measured and
#' corrected, 2 high residual not retained, 3 high residual retained.
#'
#' `rtdmf_enrichment`: a data frame with one row per drug, group and side tested, most significant
#' first: `drug`, `group_key`, `group`, `side`; `n_high_group` and `n_high`, lines with a high
#' residual on this side within the group and in all, and `n_expected`, how many there would be
#' within the group if each line were high with this drug as often as it is with any; `n_group` and
#' `n_tested`, lines of the group measured with the drug and of all groups; `odds_ratio` (`NaN`
#' where no line is high, or every one); `pvalue`, the probability of as many high lines within the
#' group, given how many the drug has and how often each line is high, and `qvalue`
#' (Benjamini-Hochberg; both 1 where no line is high, or every one); `rank_pvalue` and
#' `rank_qvalue`, whether the residuals of the group's lines rank further out, without a threshold.
#' @export
#' @examplesIf rtdmfbio::rtdmf_status()$ready
#' x <- rtdmf_gdsc1("matrix")[1:60, 1:200]
#' corrected <- rtdmf_correct(x, progress = FALSE)
#' rtdmf_result(corrected)
#' table(rtdmf_flags(corrected))
rtdmf_result <- function(x, ...) {
  if (is_pset(x)) return(rtdmf_result.PharmacoSet(x, ...))
  UseMethod("rtdmf_result")
}

#' @rdname rtdmf_result
#' @export
rtdmf_flags <- function(x, ...) {
  flag <- rtdmf_result(x, ...)$flag
  if (is.null(flag)) fail("There are no flags: the settings were only tuned (refit = FALSE).")
  flag
}

#' @rdname rtdmf_result
#' @export
rtdmf_enrichment <- function(x, fdr = NULL, ...) {
  table <- rtdmf_result(x, ...)$enrichment
  if (is.null(table)) {
    fail("There is no enrichment: the correction ran without groups. Pass groups to rtdmf_correct.")
  }
  if (!is.null(fdr)) table <- table[table$qvalue <= fdr, ]
  rownames(table) <- NULL
  table
}

#' @export
rtdmf_result.rtdmf_result <- function(x, ...) x

#' @export
rtdmf_result.default <- function(x, ...) {
  fail("The ", class(x)[1], " holds no correction. Run rtdmf_correct first. (What was subset, sorted ",
       "or computed from a corrected one holds none; take rtdmf_result before.)")
}

#' @export
rtdmf_result.matrix <- function(x, ...) {
  record <- attr(x, "rtdmf", exact = TRUE)
  if (!inherits(record, "rtdmf_result") || !identical(dim(record$flag), dim(x))) {
    return(rtdmf_result.default(x))
  }
  whole(record, bare(x))
}

#' @export
rtdmf_result.data.frame <- function(x, ...) {
  record <- attr(x, "rtdmf", exact = TRUE)
  if (!inherits(record, "rtdmf_result")) return(rtdmf_result.default(x))
  # Some ways to sort and filter a data frame keep its attributes.
  columns <- match(colnames(record$measured), names(x))
  drugs <- rownames(record$measured)
  rows <- if (is.null(record$drug)) row.names(x) else as.character(x[[record$drug]])
  moved <- nrow(record$flag) != nrow(x) || !is.null(drugs) && !identical(rows, drugs)
  if (moved || anyNA(columns)) return(rtdmf_result.default(x))
  corrected <- vapply(columns, function(j) as.double(x[[j]]), numeric(nrow(x)))
  whole(record, bare(matrix(corrected, nrow(x)), record$measured))
}

#' @rdname rtdmf_result
#' @export
rtdmf_result.SummarizedExperiment <- function(x, key = NULL, ...) {
  need("SummarizedExperiment")
  records <- Filter(function(m) inherits(m, "rtdmf_result"), S4Vectors::metadata(x))
  record <- pick(records, key, "SummarizedExperiment")
  key <- names(record)
  get <- function(name) as.matrix(SummarizedExperiment::assay(x, name))
  record <- record[[1]]
  # The experiment may have been subset or put in another order since.
  drugs <- match(axis_names(rownames(x), nrow(x), "row", "drug"), record$axes[[1]])
  lines <- match(axis_names(colnames(x), ncol(x), "column", "cell line"), record$axes[[2]])
  record$unexplained_sd_by_drug <- as.vector(record$unexplained_sd_by_drug)[drugs]
  record$groups <- record$groups[lines, , drop = FALSE]
  record$measured <- get(record$assay)
  assays <- stats::setNames(paste0(key, layers), names(layers))
  assays <- assays[assays %in% SummarizedExperiment::assayNames(x)]
  record[names(assays)] <- lapply(assays, get)
  whole(record, record$corrected)
}

#' @rdname rtdmf_result
#' @export
rtdmf_result.PharmacoSet <- function(x, key = NULL, ...) {
  annotation <- attr(x, "annotation", exact = TRUE)
  notes <- if (is.list(annotation)) annotation$rtdmf_bio
  records <- Filter(function(r) inherits(r, "rtdmf_result"),
                    lapply(as.list(notes), function(n) if (is.list(n)) n$result))
  pick(records, key, "PharmacoSet")[[1]]
}

pick <- function(records, key, what) {
  if (!length(records)) fail("The ", what, " holds no correction. Run rtdmf_correct first.")
  if (is.null(key) && length(records) == 1) return(records)
  if (is.null(key)) fail("The ", what, " holds several corrections. Pass key, one of ",
                         some(names(records)), ".")
  if (!key %in% names(records)) {
    fail("The ", what, " holds no correction '", key, "'. It has ", some(names(records)), ".")
  }
  records[key]
}

# Put the matrices first, all with one pair of names.
whole <- function(record, corrected) {
  record <- unclass(record)
  record$corrected <- corrected
  matrices <- intersect(c("corrected", "measured", names(layers)), names(record))
  record[matrices] <- lapply(record[matrices], bare, like = corrected)
  new_result(record[c(matrices, setdiff(names(record), matrices))])
}

#' @export
print.rtdmf_result <- function(x, ...) {
  if (is.null(x$flag)) {
    cat("Settings chosen by hold-out, nothing corrected\n")
  } else {
    cat(describe(x), sep = "\n")
  }
  if (!is.null(x$tuning_scores)) print(x$tuning_scores, row.names = FALSE)
  invisible(x)
}

describe <- function(x) {
  imputed <- flagged(x$flag, flag_codes[["imputed"]])
  measured <- max(sum(!imputed), 1)
  share <- function(n, of) sprintf("%.1f %%", 100 * n / of)
  error <- x$validation_rmse
  hits <- if (!is.null(x$enrichment)) x$enrichment[x$enrichment$qvalue <= x$params$fdr, ]
  c(
    sprintf("RT-DMF of %d drugs x %d cell lines%s", nrow(x$flag), ncol(x$flag),
            if (length(x$measure$name)) paste0(", ", x$measure$name) else ""),
    paste0("imputed    ", share(sum(imputed), length(x$flag)), " of all entries"),
    paste0("high       ", share(sum(flagged(x$flag, high_codes)), measured), " of those measured; ",
           share(sum(flagged(x$flag, retained_codes)), measured), " retained"),
    paste0("threshold  ", signif(x$threshold, 4), " (", x$threshold_how, ")"),
    if (length(error)) {
      best <- if (is.null(error$imputed)) error$low_rank else error$imputed
      sprintf("held out   RMSE %.4g (drug mean + line mean %.4g, grand mean %.4g)", best,
              error$two_way_means, error$grand_mean)
    },
    if (is.null(hits)) {
      "enriched   no groups given"
    } else {
      sprintf("enriched   %d of %d drug-group pairs%s", nrow(hits), nrow(x$enrichment),
              if (nrow(hits)) {
                sprintf(", the first %s in %s (%d lines, %.1f expected)", hits$drug[1],
                        hits$group[1], hits$n_high_group[1], hits$n_expected[1])
              } else {
                ""
              })
    }
  )
}

#' @export
print.rtdmf_matrix <- function(x, n = 5, ...) {
  record <- attr(x, "rtdmf")
  if (!is.null(record)) cat(describe(record), "", sep = "\n")
  print(bare(x)[seq_len(min(n, nrow(x))), seq_len(min(n, ncol(x))), drop = FALSE], ...)
  if (nrow(x) > n || ncol(x) > n) cat("... and more; as.matrix(x) is the plain matrix\n")
  invisible(x)
}

#' @export
as.matrix.rtdmf_matrix <- function(x, ...) bare(x)

# Flags do not follow what is computed from a matrix.
#' @export
Ops.rtdmf_matrix <- function(e1, e2) {
  if (inherits(e1, "rtdmf_matrix")) e1 <- bare(e1)
  if (!missing(e2) && inherits(e2, "rtdmf_matrix")) e2 <- bare(e2)
  if (missing(e2)) get(.Generic)(e1) else get(.Generic)(e1, e2)
}

#' @export
Math.rtdmf_matrix <- function(x, ...) get(.Generic)(bare(x), ...)

#' @export
t.rtdmf_matrix <- function(x) t(bare(x))
