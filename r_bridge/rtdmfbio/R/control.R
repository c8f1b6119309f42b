#' Settings of a correction
#'
#' The settings that [rtdmf_correct()] and [rtdmf_tune()] take in their `...`, under the names and
#' with the defaults of the Python functions `rtdmf_bio.pp.correct` and `rtdmf_bio.RTDMF`. `NULL`
#' stands for the value of the `preset`:
#'
#' | setting | `"default"` | `"paper"` (Algorithm 1 as published) |
#' |---|---|---|
#' | `depth` | 3 | 5 |
#' | `width` | `"auto"`: compact chain | 500 |
#' | `init`, `init_scale` | `"spectral"`, 1 | `"gaussian"`, 1e-3 |
#' | `loss` | `"mixture"` | `"squared"` |
#' | `optimizer` | `"accelerated"` | `"adam"` |
#' | `learning_rate` | `"auto"` | 1e-4 |
#' | `weight_decay` | 1 | 0 |
#' | `early_stopping` | FALSE | TRUE |
#' | `impute` | `"process"` | `"low-rank"` |
#' | `crossfit` | 5 | 0 |
#' | `center`, `scale_power` | `"two-way"`, 0.5 | `"none"`, 0 |
#' | `refit` | TRUE | FALSE |
#' | `max_iter`, `tol` | 1000, 5e-3 | 50000, 1e-3 |
#' | `retain` | enriched and shrink | enriched; abrupt without groups |
#' | `specific_weight` | 1 | 1 |
#'
#' @param preset `"default"` or `"paper"`.
#' @param threshold Residuals of at least this size are high, in the measure's unit. `"auto"`:
#'   chosen from residuals of fits that have not seen the entry, where noise and a large deviation
#'   are equally likely. `"fdr:0.05"`: those with a q value of at most this.
#' @param retain Which high residuals are kept, one rule or several: `"enriched"` (those in a group
#'   of cell lines where they cluster), `"shrink"` (those that are more than noise, with a q
#'   value of at most `fdr`, and of every entry what its drug's noise leaves), `"all"`, `"soft"`
#'   (what exceeds the threshold), `"abrupt"` (what the fit took up in one jump), `"none"`. `NULL`:
#'   enriched and shrink; without groups, shrink.
#' @param noise_sd Standard deviation of the error of a measurement, in the measure's unit: a
#'   number, or one per drug, by name where it has names, else in the order of `x`. Without it the
#'   noise is a guess from what one matrix shows; it is worth a lot to know it. For a PharmacoSet
#'   also the name of a column of its table of drugs; by default it is taken from repeated
#'   experiments, where there are at least ten.
#' @param specific_weight With `"shrink"`, what is particular to a drug counts this much, from 0 to
#'   1, beside the general part (level of the drug, general sensitivity of the line). Below 1 it
#'   makes a matrix for comparison between laboratories, where the general part carries over better,
#'   and no estimate of the truth. Retained and imputed entries are not weighed.
#' @param fdr False discovery rate at which a group counts as enriched, and a residual as more than
#'   noise.
#' @param group_missing Cell lines without a group (`NA`): `"error"`, or `"ignore"` to leave them
#'   out of the tests; they are corrected all the same.
#' @param infinite Infinite entries: `"error"`, `"nan"` (not measured) or `"clip"` to the finite
#'   range.
#' @param extreme Values that no experiment gives, such as -999 or one of a million among fractions:
#'   `"error"` names them; `"keep"` keeps them as measured, and fits do not see them.
#' @param unmeasured Drugs or lines without any measurement: `"error"`, or `"nan"` to carry them
#'   along as `NA`.
#' @param concentration Concentrations on a linear scale, such as an IC50 in uM, whose errors grow
#'   with them: `"error"`; `"log"` corrects the natural logarithm of those of a PharmacoSet, which
#'   the measure added then holds, `"ln_ic50_published_rtdmf"`; `"linear"` corrects them as they are.
#' @param device,dtype Where and in what precision to compute: `"cpu"`, `"cuda"`, `"mps"` or
#'   `"auto"`; `"float32"` or `"float64"`.
#' @param random_state Seed of the hold-out, and of a random start. R's own random numbers are
#'   neither used nor changed.
#' @param progress Show a progress bar on a terminal.
#' @param loss `"squared"`, `"clip"` (Huber at the threshold), `"hard"` (high residuals do not
#'   train) or `"mixture"` (residuals are noise or deviations; those hardly train).
#' @param depth Number of factors, at least 2.
#' @param width Inner width of a random network, or `"auto"`: a compact chain started from the
#'   spectrum of the data, without a seed, whose rank grows as needed.
#' @param init,init_scale Start: `"spectral"`, `"gaussian"`, `"orthogonal"`, `"identity"` or
#'   `"uniform"`.
#' @param optimizer,learning_rate,momentum `"accelerated"`, `"gd"`, `"momentum"`, `"adam"` or
#'   `"adagrad"`. A rate of `"auto"`: from the largest singular value.
#' @param weight_decay,impute_weight_decay Decay of either stage in units of noise: at 1, a mode no
#'   larger than the largest that noise alone has just vanishes. `"auto"`: by hold-out.
#' @param impute Missing entries: `"low-rank"`; `"refined"`, by a second, squared-loss chain; or
#'   `"process"`, by that and a Gaussian process, as far as it helps on unseen entries.
#' @param early_stopping,patience Stop when the validation error has not improved for `patience`
#'   checks, 10 iterations apart.
#' @param refit After choosing on the hold-out, fit again to everything observed.
#' @param crossfit Number of folds: each measured entry is judged by a fit without its fold. 0:
#'   none; `"shrink"` needs it.
#' @param center `"two-way"`: take out drug and line effects first; `"none"`.
#' @param scale_power Drugs are divided by their residual spread to this power, 0 to 1.
#' @param max_iter,tol,burn_in Iterations; relative change over 10 iterations that ends them;
#'   squared-loss iterations before `"hard"` and `"mixture"` begin.
#' @param validation_fraction Share of the measured entries held out for every choice.
#' @param coverage Share of the intervals `lower` to `upper` that hold what they are of.
#' @param min_group_size Smallest group tested.
#' @param max_missing Refuse a matrix with a larger share of missing entries.
#' @return A list of the settings that were given, for `do.call`.
#' @references Hu et al., Briefings in Bioinformatics 2025.
#' @export
#' @examples
#' str(rtdmf_control(threshold = 0.2, retain = c("enriched", "shrink")))
rtdmf_control <- function(preset = "default", threshold = "auto", retain = NULL, fdr = 0.05,
                          group_missing = "error", infinite = "error", extreme = "error",
                          unmeasured = "error", concentration = "error", device = "auto", dtype = "float32",
                          random_state = 0, progress = TRUE,
                          noise_sd = NULL, specific_weight = NULL, loss = NULL, depth = NULL,
                          width = NULL, init = NULL, init_scale = NULL, optimizer = NULL,
                          learning_rate = NULL, momentum = NULL, weight_decay = NULL,
                          impute = NULL, impute_weight_decay = NULL,
                          early_stopping = NULL, patience = NULL, refit = NULL, crossfit = NULL,
                          center = NULL, scale_power = NULL, max_iter = NULL, tol = NULL,
                          burn_in = NULL, validation_fraction = 0.15, coverage = 0.9,
                          min_group_size = 3, max_missing = 0.95) {
  given <- as.character(names(match.call())[-1])
  for_python(mget(given))
}

# Settings as Python wants them: whole numbers as such, and nothing that it has no word for.
for_python <- function(settings) {
  settings <- Filter(Negate(is.null), settings)
  Map(plain_setting, settings, names(settings))
}

plain_setting <- function(value, name) {
  if (is.factor(value)) value <- as.character(value)
  if (!is.atomic(value) || anyNA(value) || !length(value)) {
    fail("The ", name, " argument must be a value or several, without NA. Got ",
         paste(deparse(value, nlines = 1), collapse = ""), ".")
  }
  # Of the settings this one alone may have names, those of drugs.
  if (name == "noise_sd" && length(value) > 1) value else as_whole(as.vector(value))
}

as_whole <- function(value) {
  whole <- is.double(value) && all(is.finite(value) & value == round(value) & abs(value) < 2^31)
  if (whole) as.integer(value) else value
}
