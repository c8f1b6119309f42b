two_screens <- function() {
  set.seed(1)
  truth <- outer(rnorm(12), rep(1, 60)) + outer(rnorm(12), rnorm(60)) + outer(rep(1, 12), rnorm(60))
  noisy <- function() {
    x <- truth + rnorm(length(truth), sd = 0.5)
    dimnames(x) <- list(paste0("drug", 1:12), paste0("line", 1:60))
    x
  }
  list(noisy(), noisy())
}

test_that("correlations are those of R", {
  skip_without_python()
  x <- two_screens()
  x[[1]][3, 1:20] <- NA
  found <- rtdmf_concordance(x[[1]], x[[2]])
  measured <- found$drugs[found$drugs$source == "measured", ]
  expect_equal(measured$drug, rownames(x[[1]]))
  for (i in c(1, 3)) {
    known <- !is.na(x[[1]][i, ])
    own <- cor.test(x[[1]][i, known], x[[2]][i, known], method = "spearman", exact = FALSE)
    expect_equal(measured$rho[i], unname(own$estimate))
    expect_equal(measured$n_lines[i], sum(known))
  }
  expect_equal(found$summary$source, c("measured", "two-way means", "two-way residual"))
  expect_type(measured$significant, "logical")
})

test_that("the summary has intervals, which the seed decides", {
  skip_without_python()
  x <- two_screens()
  summary <- function(...) rtdmf_concordance(x[[1]], x[[2]], ...)$summary
  found <- summary(n_bootstrap = 200)
  scores <- c("share_significant", "median_rho", "specificity", "median_rho_star",
              "specificity_star")
  expect_named(found, c("source", "n_drugs", rbind(scores, paste0(scores, "_low"),
                                                   paste0(scores, "_high"))))
  expect_true(found$median_rho_low[1] < found$median_rho[1])
  expect_true(found$median_rho[1] < found$median_rho_high[1])
  expect_equal(summary(n_bootstrap = 200), found)
  expect_false(identical(summary(n_bootstrap = 200, random_state = 1), found))
  expect_error(summary(n_bootstrap = 1), "n_bootstrap", class = "rtdmf_error")
})

test_that("corrected screens are compared before and after", {
  skip_without_python()
  x <- lapply(two_screens(), rtdmf_correct, progress = FALSE)
  found <- rtdmf_concordance(x[[1]], x[[2]])
  expect_equal(found$summary$source,
               c("measured", "corrected", "two-way means", "two-way residual"))
  before <- rtdmf_concordance(rtdmf_result(x[[1]])$measured, rtdmf_result(x[[2]])$measured)
  expect_equal(found$summary$median_rho[1], before$summary$median_rho[1])
  expect_equal(found$summary$median_rho[2],
               median(diag(cor(t(x[[1]]), t(x[[2]]), method = "spearman"))))
})

test_that("aliases match, and what cannot be compared is refused", {
  skip_without_python()
  x <- two_screens()
  rownames(x[[2]]) <- paste("compound", 1:12)
  expect_error(rtdmf_concordance(x[[1]], x[[2]]), "share no drug", class = "rtdmf_error")
  aliases <- setNames(rownames(x[[1]]), rownames(x[[2]]))
  expect_equal(rtdmf_concordance(x[[1]], x[[2]], aliases = aliases)$summary$n_drugs, c(12, 12, 12))
  expect_error(rtdmf_concordance(x[[1]], x[[2]], aliases = "x"), "named character vector")
  expect_error(rtdmf_concordance(x[[1]], x[[2]][, 1:5], aliases = aliases), "at least 10")
})

test_that("identifiers match renamed lines, and replicates are averaged or refused", {
  skip_without_python()
  skip_if_not_installed("SummarizedExperiment")
  x <- two_screens()
  colnames(x[[2]]) <- paste("renamed", 1:60)
  screens <- lapply(x, function(m) {
    SummarizedExperiment::SummarizedExperiment(
      list(auc = m), colData = S4Vectors::DataFrame(rrid = paste0("CVCL_", 1:60),
                                                    row.names = colnames(m)))
  })
  expect_error(rtdmf_concordance(screens[[1]], screens[[2]]), "share no cell line")
  found <- rtdmf_concordance(screens[[1]], screens[[2]], line_ids = "rrid")$drugs
  expect_equal(found$rho[1], cor(x[[1]][1, ], x[[2]][1, ], method = "spearman"))
  rownames(x[[1]])[2] <- "drug1 [2]"
  colnames(x[[2]]) <- colnames(x[[1]])
  found <- rtdmf_concordance(x[[1]], x[[2]])$drugs
  expect_equal(found$rho[1], cor(colMeans(x[[1]][1:2, ]), x[[2]][1, ], method = "spearman"))
  expect_error(rtdmf_concordance(x[[1]], x[[2]], replicates = "error"), "replicates of the same")
})
