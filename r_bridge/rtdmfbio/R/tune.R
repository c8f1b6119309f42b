#' Choose settings by hold-out, then correct with them
#'
#' 70 % of the measured entries train, 15 % validate, 15 % test. Every candidate is fitted to the
#' training entries and scored on the validation entries; the best one, and it alone, is scored on
#' the test entries; then [rtdmf_correct()] runs on everything measured with its settings.
#'
#' @param x,... As for [rtdmf_correct()]; settings in `...` hold for all candidates.
#' @param grid A named list of the values to try for each setting, all combined, such as
#'   `list(depth = 2:4, weight_decay = c(0.7, 1, 1.4))`, or a list of such lists. `NULL`: a default
#'   grid over loss, depth and weight decay.
#' @param criterion `"robust"`: mean over held-out entries of min(r^2, c^2), c twice the noise, so
#'   that a specific response absorbed by the broad structure earns little; `"mse"`: mean squared
#'   error of the imputed value, as published.
#' @param by What is held out together: `"entry"`, `"drug"`, `"line"` or `"group"`.
#' @param n_jobs Candidates fitted at a time, each in a process of its own.
#' @param checkpoint File that keeps every finished candidate, so that the same call takes up an
#'   interrupted search. Delete it when done.
#' @param refit Correct with the best settings. `FALSE`: return the tables only.
#' @return As [rtdmf_correct()]; with `refit = FALSE` an object of class `rtdmf_result`.
#'   [rtdmf_result()] of it has
#'   - `tuning`, a data frame with a row per candidate: its settings, `validation_mse`,
#'     `validation_robust` (squared units of the measure), `n_iter`, `stop_reason`, `seconds`,
#'     `error`, `rank` and `chosen`;
#'   - `tuning_scores`, the chosen settings beside two-way means and the grand mean;
#'   - `tuning_params`, the criterion and the settings chosen.
#' @references Hu et al., Briefings in Bioinformatics 2025, for the split and the squared error.
#' @export
#' @examplesIf rtdmfbio::rtdmf_status()$ready
#' x <- rtdmf_gdsc1("matrix")[1:40, 1:150]
#' best <- rtdmf_tune(x, list(depth = 2:3), progress = FALSE)
#' rtdmf_result(best)$tuning_scores
rtdmf_tune <- function(x, grid = NULL, ..., criterion = "robust", by = "entry", n_jobs = NULL,
                       checkpoint = NULL, refit = TRUE) {
  search <- for_python(list(criterion = criterion, by = by, n_jobs = n_jobs, refit = refit,
                            checkpoint = if (!is.null(checkpoint)) path.expand(checkpoint)))
  search$grid <- grid_for_python(grid)
  rtdmf_correct(x, ..., search = search)
}

# Every value as an element of its own, so that one is a list, too.
grid_for_python <- function(grid) {
  if (is.null(grid)) return(NULL)
  if (!is.list(grid) || !length(grid)) {
    fail("The grid must be a named list, such as list(depth = 2:3), or a list of such lists.")
  }
  if (is.null(names(grid))) return(lapply(grid, grid_for_python))
  lapply(grid, function(values) lapply(as.list(values), as_whole))
}
