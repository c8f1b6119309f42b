# Defaults of R and of Python, in R's types.
plain <- function(x) if (is.numeric(x)) as.numeric(x) else x

expect_defaults <- function(formals, python) {
  for (name in intersect(names(formals), names(python))) {
    expect_identical(plain(eval(formals[[name]])), plain(python[[name]]), label = name)
  }
}

test_that("every setting has Python's name and default, and none is missing", {
  skip_without_python()
  defaults <- call_python("defaults")
  control <- formals(rtdmf_control)
  own <- c("layer", "key_added", "group_key", "replicate_key", "overwrite", "copy")
  expect_setequal(names(control), setdiff(union(names(defaults$correct), names(defaults$model)), own))
  expect_defaults(control, c(defaults$correct, defaults$model[setdiff(names(defaults$model),
                                                                      names(defaults$correct))]))
  expect_defaults(formals(rtdmf_tune), defaults$tune)
  reading <- c("measure", "summary", "higher_is", "unit", "kind", "censored", "out_of_range",
               "combinations", "unmatched")
  pset <- formals(rtdmf_correct.PharmacoSet)
  expect_true(all(reading %in% names(pset)))
  expect_defaults(pset[reading], defaults$read_pset)
  expect_defaults(formals(rtdmf_enrichment), defaults$enrichment)
  expect_defaults(formals(rtdmf_concordance), c(defaults$concordance, defaults$concordance_summary))
})
