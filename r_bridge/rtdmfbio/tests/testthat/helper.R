# Fits need Python; what does not is tested without.
skip_without_python <- function() {
  status <- rtdmf_status()
  skip_if_not(status$ready, paste("Python is not ready:", status$problem))
}

# Fewer and shorter fits than by default: these tests are not about the fit.
quietly <- function(..., tol = 0.05, crossfit = 3) {
  suppressMessages(rtdmf_correct(..., tol = tol, crossfit = crossfit, progress = FALSE))
}

# 20 drugs on 40 lines of four tissues: structure, noise, gaps, and a drug that hits skin.
made_screen <- function() {
  set.seed(1)
  x <- outer(rnorm(20), rnorm(40)) / 10 + matrix(rnorm(800, 0.7, 0.05), 20)
  dimnames(x) <- list(paste0("drug", 1:20), paste0("line", 1:40))
  x[1, 1:10] <- x[1, 1:10] - 0.5
  x[sample(800, 100)] <- NA
  x
}

made_tissues <- function() rep(c("skin", "lung", "blood", "breast"), each = 10)

made_experiment <- function() {
  skip_if_not_installed("SummarizedExperiment")
  SummarizedExperiment::SummarizedExperiment(
    assays = list(auc = made_screen(), other = made_screen() * 2),
    colData = S4Vectors::DataFrame(tissue = made_tissues(), row.names = paste0("line", 1:40))
  )
}

# A PharmacoSet of the screen, with a replicate of every tenth experiment.
made_pset <- function(x = made_screen()) {
  lines <- data.frame(tissue = made_tissues(), row.names = colnames(x))
  pset <- rtdmfbio:::make_pset(list(auc = x, ln_ic50 = log(x + 1)), lines)
  response <- attr(pset, "treatmentResponse")
  again <- seq(1, nrow(response$info), 10)
  twice <- function(table) {
    more <- table[again, , drop = FALSE]
    rownames(more) <- paste0(rownames(more), "_2")
    rbind(table, more)
  }
  response$info <- twice(response$info)
  response$profiles <- twice(response$profiles)
  n <- nrow(response$profiles)
  new <- seq(n - length(again) + 1, n)
  response$profiles$aac_published[new] <- response$profiles$aac_published[new] + 0.02
  attr(pset, "treatmentResponse") <- response
  pset
}

# Whether an object is the same before and after, to the last bit.
expect_unchanged <- function(x, code) {
  before <- serialize(x, NULL)
  force(code)
  expect_identical(serialize(x, NULL), before)
}
