# One line each: what is given, and what the message must say.
x <- made_screen()
with_names <- function(rows) {
  rownames(x) <- rows
  x
}
set <- function(i, j, value) {
  x[i, j] <- value
  x
}

refused <- list(
  list(list(x > 0.5), "the values are logical"),
  list(list(matrix("high", 3, 3)), "character, such as 'high'"),
  list(list(matrix(1i, 3, 3)), "complex"),
  list(list(1:3), "Got an object of class integer"),
  list(list(NULL), "class NULL"),
  list(list(x[0, ]), "0 drug\\(s\\) and 40 cell line"),
  list(list(x[, 0]), "20 drug\\(s\\) and 0 cell line"),
  list(list(matrix(0, 0, 0)), "0 drug\\(s\\) and 0 cell line"),
  list(list(x[1, , drop = FALSE]), "at least 2 of each"),
  list(list(matrix(NA_real_, 4, 4)), "None of the 4 x 4 entries"),
  list(list(matrix(2, 4, 4)), "nothing to correct"),
  list(list(set(3, TRUE, NA)), "1 drug\\(s\\) without any measurement: 'drug3'.*unmeasured = 'nan'"),
  list(list(set(3, 4, Inf)), "1 infinite entries.*infinite = 'nan'"),
  list(list(with_names(replace(rownames(x), 2, NA))), "such as row 2.*leave out the names"),
  list(list(matrix(NA, 4, 4)), "None of the 4 x 4 entries"),
  list(list(with_names(replace(rownames(x), 2, ""))), "such as row 2"),
  list(list(with_names(replace(rownames(x), 2, "drug1"))), "more than once: 'drug1'"),
  list(list(x, groups = "tissue"), "one label per cell line.*40.*'tissue'"),
  list(list(x, groups = list(made_tissues())), "need a name each"),
  list(list(x, groups = c(line1 = "skin")), "39 of 40 cell lines are not among the names"),
  list(list(x, groups = rep(NA, 40)), "missing for every cell line"),
  list(list(x, groups = c(NA, made_tissues()[-1])), "group_missing = 'ignore'"),
  list(list(x, groups = mean), "label per cell line"),
  list(list(x, threshold = NA), "threshold argument.*NA"),
  list(list(x, threshold = -1), "threshold parameter.*Got -1"),
  list(list(x, depth = 2.5), "depth.*integer.*Got 2.5"),
  list(list(x, retain = c("enriched", "some")), "retain.*'some'"),
  list(list(x, device = "abacus"), "device"),
  list(list(data.frame()), "0 drug\\(s\\)"),
  list(list(data.frame(a = letters, b = LETTERS, c = 1)), "2 columns of text, 'a', 'b'"),
  list(list(data.frame(a = letters, day = Sys.Date(), c = 1)), "column 'day'.*Date"),
  list(list(data.frame(a = 1:3), drug = "name"), "no column 'name'. It has 'a'")
)

for (case in refused) {
  test_that(paste("is refused:", case[[2]]), {
    skip_without_python()
    args <- case[[1]]
    error <- expect_error(do.call(rtdmf_correct, args), class = "rtdmf_error")
    expect_match(conditionMessage(error), case[[2]])
    expect_no_match(conditionMessage(error), "Traceback|Error:|adata|rtdmf_bio\\.")
    expect_null(conditionCall(error))
  })
}

test_that("a setting that does not exist is R's own error", {
  expect_error(rtdmf_correct(x, treshold = 0.2), "unused argument.*treshold")
})

test_that("sparse matrices are told that a blank is no gap", {
  skip_if_not_installed("Matrix")
  expect_error(rtdmf_correct(Matrix::Matrix(diag(3), sparse = TRUE)), "a blank means zero")
})

test_that("a SummarizedExperiment lists what it has", {
  se <- made_experiment()
  expect_error(rtdmf_correct(se, assay = "x"), "no assay 'x'.*'auc', 'other'")
  expect_error(rtdmf_correct(se, assay = 3), "no assay '3'")
  expect_error(rtdmf_correct(se, groups = "x"), "no column 'x'. It has 'tissue'")
  expect_error(rtdmf_result(se), "holds no correction")
  expect_error(rtdmf_correct(se, key_added = ""), "single name", class = "rtdmf_error")
  nameless <- SummarizedExperiment::SummarizedExperiment(list(made_screen()))
  expect_error(rtdmf_correct(nameless), "assayNames\\(x\\)")
})

test_that("what is wrong with a PharmacoSet is said by slot", {
  skip_without_python()
  changed <- function(change) {
    pset <- made_pset()
    response <- change(attr(pset, "treatmentResponse"))
    attr(pset, "treatmentResponse") <- response
    pset
  }
  without_info <- changed(function(r) r[names(r) != "info"])
  expect_error(quietly(without_info), "no table 'info'", class = "rtdmf_error")
  short <- changed(function(r) {
    r$info <- r$info[1:5, ]
    r
  })
  expect_error(quietly(short), "info has 5 rows", class = "rtdmf_error")
  turned <- changed(function(r) {
    r$profiles <- r$profiles[rev(seq_len(nrow(r$profiles))), ]
    r
  })
  expect_error(quietly(turned), "another order", class = "rtdmf_error")
  expect_error(quietly(made_pset(), measure = NA), "measure argument must be a single name")
  expect_error(quietly(made_pset(), groups = 3), "names of columns")
})

test_that("warnings of Python become R's", {
  skip_without_python()
  expect_warning(rtdmf_correct(x, max_iter = 11, tol = 1e-12, progress = FALSE), "max_iter")
})
