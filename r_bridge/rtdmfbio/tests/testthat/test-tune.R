test_that("a search chooses, corrects and keeps its tables", {
  skip_without_python()
  x <- made_screen()
  best <- rtdmf_tune(x, list(depth = 2:3), groups = made_tissues(), tol = 0.05, crossfit = 3,
                     progress = FALSE)
  result <- rtdmf_result(best)
  expect_identical(result$tuning$depth, 2:3)
  expect_identical(result$tuning_scores$answer, c("chosen", "two-way means", "grand mean"))
  chosen <- result$tuning$depth[result$tuning$chosen]
  direct <- quietly(x, groups = made_tissues(), depth = chosen)
  expect_identical(bare(best), bare(direct))
})

test_that("a search without refit returns the tables only", {
  skip_without_python()
  tables <- rtdmf_tune(made_screen(), list(list(depth = 2), list(depth = 3)), refit = FALSE,
                       criterion = "mse", progress = FALSE)
  expect_s3_class(tables, "rtdmf_result")
  expect_identical(nrow(tables$tuning), 2L)
  expect_identical(tables$tuning_params$criterion, "mse")
  expect_output(print(tables), "nothing corrected.*two-way means")
  for (use in list(rtdmf_flags, as_anndata, plot)) expect_error(use(tables), "refit = FALSE")
})

test_that("two workers find what one finds, and leave nothing behind", {
  skip_without_python()
  skip_on_os("windows")
  x <- made_screen()
  search <- function(...) {
    table <- rtdmf_tune(x, list(depth = 2:3), refit = FALSE, progress = FALSE, ...)$tuning
    table[names(table) != "seconds"]
  }
  expect_identical(search(n_jobs = 2), search())
})

test_that("a search is taken up where it ended", {
  skip_without_python()
  path <- tempfile(fileext = ".jsonl")
  search <- function(grid) {
    rtdmf_tune(made_screen(), grid, checkpoint = path, refit = FALSE, progress = FALSE)$tuning
  }
  first <- search(list(depth = 2))
  expect_identical(search(list(depth = 2:3))$seconds[1], first$seconds)
})

test_that("a grid that makes no sense is refused", {
  skip_without_python()
  x <- made_screen()
  expect_error(rtdmf_tune(x, 3), "named list", class = "rtdmf_error")
  expect_error(rtdmf_tune(x, list(fdr = 0.1)), "'fdr'", class = "rtdmf_error")
  expect_error(rtdmf_tune(x, list(depth = 2), depth = 3), "depth", class = "rtdmf_error")
  expect_error(rtdmf_tune(x, list(depth = 2), by = "year"), "by", class = "rtdmf_error")
})

test_that("other classes can be tuned, too", {
  skip_without_python()
  grid <- list(depth = 2)
  tune <- function(...) suppressMessages(rtdmf_tune(..., progress = FALSE))
  expect_false(is.null(rtdmf_result(tune(made_experiment(), grid))$tuning))
  expect_false(is.null(rtdmf_result(tune(made_pset(), grid, measure = "aac_published"))$tuning))
})
