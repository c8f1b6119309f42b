test_that("a PharmacoSet gets a measure and its flags, one value for each drug and line", {
  skip_without_python()
  pset <- made_pset()
  expect_unchanged(pset, corrected <- quietly(pset, measure = "aac_published"))
  profiles <- attr(corrected, "treatmentResponse")$profiles
  before <- attr(pset, "treatmentResponse")
  expect_identical(names(profiles), c("aac_published", "ic50_published", "aac_published_rtdmf",
                                      "aac_published_rtdmf_flag"))
  expect_identical(profiles[1:2], before$profiles)
  result <- rtdmf_result(corrected)
  at <- cbind(before$info$treatmentid, before$info$sampleid)
  expect_identical(profiles$aac_published_rtdmf, result$corrected[at])
  expect_identical(profiles$aac_published_rtdmf_flag, result$flag[at])
  twice <- duplicated(at)
  expect_gt(sum(twice), 50)
  expect_false(anyNA(profiles$aac_published_rtdmf))
  expect_identical(result$measured[at][twice],
                   (before$profiles$aac_published[twice] * 2 - 0.02) / 2,
                   tolerance = 1e-12)
  expect_identical(names(result$groups), "tissueid")
  expect_identical(result$measure$higher_is, "sensitive")
  expect_identical(rtdmf_enrichment(corrected)$side[1], "sensitive")
})

test_that("everything else in a PharmacoSet stays", {
  skip_without_python()
  pset <- made_pset()
  corrected <- quietly(pset, measure = "aac_published", groups = NULL)
  for (slot in setdiff(names(attributes(pset)), c("treatmentResponse", "annotation"))) {
    expect_identical(attr(corrected, slot), attr(pset, slot), label = slot)
  }
  note <- attr(corrected, "annotation")$rtdmf_bio$aac_published_rtdmf
  expect_identical(note$corrected_from, "aac_published")
  expect_identical(note$higher_is, "sensitive")
})

test_that("pairs without an experiment are counted and kept in the result", {
  skip_without_python()
  pset <- made_pset()
  expect_message(corrected <- rtdmf_correct(pset, measure = "aac_published", progress = FALSE),
                 "100 imputed pairs of drug and line have no experiment")
  expect_identical(sum(rtdmf_flags(corrected) == 0L), 100L)
  expect_false(anyNA(rtdmf_result(corrected)$corrected))
})

test_that("a second measure goes beside the first, and a wrong one is told what there is", {
  skip_without_python()
  pset <- quietly(made_pset(), measure = "aac_published")
  expect_error(quietly(pset, measure = "auc"), "'aac_published', 'ic50_published'",
               class = "rtdmf_error")
  expect_error(quietly(pset, measure = "aac_published"), "already has a measure")
  expect_error(quietly(made_pset(), measure = "aac_published", groups = "tissue"),
               "no column 'tissue'. It has .*'tissueid'", class = "rtdmf_error")
  both <- quietly(pset, measure = "aac_published", groups = NULL, measure_name = "mine")
  expect_error(rtdmf_flags(both), "aac_published_rtdmf', 'mine'")
  expect_identical(rtdmf_flags(both, "aac_published_rtdmf"), rtdmf_flags(pset))
  again <- quietly(both, measure = "mine", higher_is = "sensitive", groups = NULL)
  expect_false(is.null(rtdmf_result(again, "mine_rtdmf")))
})

test_that("repeated experiments tell the noise, unless it is given", {
  skip_without_python()
  noise <- function(...) {
    rtdmf_result(quietly(made_pset(), measure = "aac_published", ...))$noise
  }
  told <- noise()
  expect_identical(told$source, "replicates")
  expect_lt(abs(told$sd - 0.02 / sqrt(2)), 0.003)
  expect_identical(noise(noise_sd = 0.05)$source, "given")
  expect_identical(noise(retain = "all", crossfit = 0)$source, "none")
})

test_that("a PharmacoSet survives being saved", {
  skip_without_python()
  corrected <- quietly(made_pset(), measure = "aac_published")
  path <- tempfile(fileext = ".rds")
  saveRDS(corrected, path)
  expect_identical(rtdmf_flags(readRDS(path)), rtdmf_flags(corrected))
})

test_that("a PharmacoSet without an annotation gets one for the result", {
  skip_without_python()
  pset <- made_pset()
  attr(pset, "annotation") <- NULL
  corrected <- quietly(pset, measure = "aac_published")
  expect_identical(dim(rtdmf_flags(corrected)), c(20L, 40L))
})

test_that("an infinite IC50 stands at the largest dose, and one measure is no other", {
  skip_without_python()
  pset <- made_pset()
  response <- attr(pset, "treatmentResponse")
  n <- nrow(response$info)
  far <- which(response$info$treatmentid == "drug2" & !duplicated(response$info[1:2]))[1:5]
  logs <- response$profiles$ic50_published
  response$profiles$ic50_published <- exp(4 * (logs - mean(logs, na.rm = TRUE)))
  response$profiles$ic50_published[far] <- Inf
  dose <- as.character(rep(c(0.1, 8, 2), each = n))
  response$raw <- array(c(dose, dose), c(n, 3, 2), list(rownames(response$info), NULL,
                                                        c("Dose", "Viability")))
  attr(pset, "treatmentResponse") <- response
  corrected <- function(..., concentration = "linear") {
    quietly(pset, "ic50_published", groups = NULL, concentration = concentration, ...)
  }
  measured <- function(...) rtdmf_result(corrected(...))$measured
  at <- as.matrix(response$info[far, c("treatmentid", "sampleid")])
  once <- !duplicated(response$info[c("treatmentid", "sampleid")]) &
    !duplicated(response$info[c("treatmentid", "sampleid")], fromLast = TRUE)
  expect_true(all(measured()[at][once[far]] == 8))
  expect_true(all(is.na(measured(censored = "nan")[at][once[far]])))
  expect_error(measured(censored = "error"), "5 of .* censored.*censored = 'bound'")
  expect_error(corrected(concentration = "error"), "concentration = \"log\"", class = "rtdmf_error")
  logs <- corrected(concentration = "log")
  expect_equal(rtdmf_result(logs)$measured[at][once[far]], rep(log(8), sum(once[far])))
  expect_identical(rtdmf_result(logs)$measure$unit, "ln uM")
  expect_true("ln_ic50_published_rtdmf" %in% names(attr(logs, "treatmentResponse")$profiles))
  expect_error(quietly(exp(made_screen()), concentration = "log"), "take log\\(x\\)",
               class = "rtdmf_error")
  attr(pset, "treatmentResponse")$profiles$ic50_published <- response$profiles$aac_published * 100
  expect_error(quietly(pset, "ic50_published", kind = "auc"), "0 to 1.*It is no 'auc'",
               class = "rtdmf_error")
  result <- rtdmf_result(quietly(pset, "ic50_published", groups = NULL, kind = "aac_percent"))
  expect_identical(result$measure$unit, "% of full response")
})
