# What a fresh R says of Python with this environment.
fresh <- function(code, ...) {
  env <- c(..., paste0("R_LIBS=", paste(.libPaths(), collapse = .Platform$path.sep)))
  code <- paste0("suppressMessages(library(rtdmfbio)); ", code)
  suppressWarnings(
    out <- system2(file.path(R.home("bin"), "Rscript"), c("-e", shQuote(code)), stdout = TRUE,
                   stderr = TRUE, env = env)
  )
  paste(out, collapse = "\n")
}

test_that("the status of a Python that is ready has the versions", {
  skip_without_python()
  status <- rtdmf_status()
  expect_true(file.exists(status$python))
  expect_setequal(names(status$packages), c("rtdmf_bio", "numpy", "torch", "anndata"))
  expect_output(print(status), "Python 3.*rtdmf_bio 0.*Ready")
  expect_identical(status$packages[["rtdmf_bio"]], as.character(packageVersion("rtdmfbio")))
})

test_that("loading the package starts no Python", {
  said <- fresh("cat(reticulate::py_available(), 'and fine')")
  expect_match(said, "FALSE and fine")
})

test_that("a path without a Python is named, and how to point at another", {
  skip_on_os("windows")
  said <- fresh("print(rtdmf_status()); rtdmf_gdsc1()", "RETICULATE_PYTHON=/no/python")
  expect_match(said, "Not ready. .*/no/python.*use_python")
  expect_match(said, "Error: .*/no/python")
})

test_that("a Python without rtdmf_bio is named, with the one command that helps", {
  skip_on_os("windows")
  bare <- Sys.which("python3")
  skip_if_not(nzchar(bare))
  folder <- tempfile()
  made <- suppressWarnings(system2(bare, c("-m", "venv", "--without-pip", folder), stdout = TRUE,
                                   stderr = TRUE))
  skip_if_not(is.null(attr(made, "status")), "a virtual environment")
  python <- file.path(folder, "bin", "python")
  said <- fresh("setwd(tempdir()); print(rtdmf_status())", paste0("RETICULATE_PYTHON=", python))
  skip_if(grepl("no shared library|3.11 is needed", said), "a Python that R can load")
  expect_match(said, "Not ready. rtdmf_bio is not installed in .*python -m pip install \\.")
})
