#' Concordance of two screens, drug by drug
#'
#' Correlates every drug that two screens share, before and after correction, over the entries
#' measured in both. A correction that makes all drugs alike raises the correlation, too: read it
#' beside its controls.
#'
#' @param a,b Two screens, each corrected by itself with [rtdmf_correct()]; what was not corrected is
#'   compared as measured. Drugs and cell lines are matched by name, without case, punctuation and
#'   what follows in brackets, lines by identifiers first.
#' @param aliases Named character vector, name of a drug to its unified name.
#' @param line_ids Column or columns of the `colData` that identify cell lines and are compared before
#'   names; `NULL`: `cosmic_id` and `depmap_id`, in any spelling, where both screens have them.
#' @param align_direction Turn `b` over if in one screen higher is resistant and in the other
#'   sensitive; otherwise that is refused.
#' @param replicates Rows of one screen that are the same drug: `"mean"` of what was measured, or
#'   `"error"`.
#' @param alpha Level of the two-sided test.
#' @param min_lines Drugs measured on fewer lines in both screens are left out.
#' @param n_bootstrap Number of times that the drugs are drawn anew for the intervals of the summary.
#' @param random_state Seed of these draws. R's own random numbers are neither used nor changed.
#' @return A list of two data frames:
#'   - `drugs`, one row per shared drug and source (`measured`, `corrected`, and as trivial answers
#'     `two-way means`, drug mean + line mean, and `two-way residual`, what these leave of the
#'     measurements): `n_lines`, Spearman's `rho`, `pvalue`, `ci_low`, `ci_high`, `pearson`,
#'     `pearson_pvalue`, `significant` (`pvalue < alpha` and `rho > 0`), `specificity` (share of
#'     the other drugs of `b` that correlate less with this drug of `a` than its own twin does; 0.5
#'     is chance), and `rho_star` and `specificity_star`, the same of what drug effects and line
#'     effects (general sensitivity), fitted together to what was measured in each screen, leave of
#'     it; `NaN` where nothing is left, as of `two-way means`;
#'   - `summary`, one row per source: `n_drugs`, `share_significant`, `median_rho`, `specificity`
#'     (a mean), `median_rho_star` and `specificity_star`, each score followed by its 95 % interval,
#'     `_low` and `_high`: percentiles over drugs drawn anew.
#' @references Hu et al., Briefings in Bioinformatics 2025 (Table 1).
#' @export
#' @examplesIf rtdmfbio::rtdmf_status()$ready
#' x <- rtdmf_gdsc1("matrix")[1:12, 1:100]
#' noisy <- x + rnorm(length(x), sd = 0.1)
#' rtdmf_concordance(x, noisy)$summary
rtdmf_concordance <- function(a, b, aliases = NULL, line_ids = NULL, align_direction = FALSE,
                              replicates = "mean", alpha = 0.01, min_lines = 10,
                              n_bootstrap = 1000, random_state = 0) {
  if (!is.null(aliases)) {
    if (!is.character(aliases) || is.null(names(aliases))) {
      fail("aliases must be a named character vector, such as c(NUTLIN3A = \"NUTLIN3\").")
    }
    aliases <- list(name = as.list(names(aliases)), unified = as.list(unname(aliases)))
  }
  settings <- for_python(list(line_ids = line_ids, align_direction = align_direction,
                              replicates = replicates, alpha = alpha, min_lines = min_lines,
                              n_bootstrap = n_bootstrap, random_state = random_state))
  settings$aliases <- aliases
  call_python("concordance", a = compared(a), b = compared(b), settings = settings)
}

# A screen with its correction, if it has one.
compared <- function(x) {
  result <- tryCatch(rtdmf_result(x), rtdmf_error = function(e) NULL)
  parts_of(if (is.null(result$corrected)) x else result)
}
