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

test_that("a Python that R cannot load is told apart, and none is started", {
  pretend <- function(config) {
    fresh(paste0("assignInNamespace('py_discover_config', function(...) ", config,
                 ", 'reticulate'); print(rtdmf_status()); cat('started:', ",
                 "reticulate::py_available())"))
  }
  old <- pretend("list(python = '/a/python', version = '3.9', libpython = '/a/lib.so')")
  expect_match(old, "/a/python is Python 3.9, and 3.11 is needed.*use_python.*started: FALSE")
  static <- pretend("list(python = '/a/python', version = '3.12', libpython = NULL)")
  expect_match(static, "/a/python cannot be loaded.*no shared library\\..*started: FALSE")
  moved <- pretend("list(python = '/a/python', version = '3.12', libpython = '/no/lib.so')")
  expect_match(moved, "there is no /no/lib.so.*--enable-shared")
  expect_match(pretend("NULL"), "Python was not found\\..*use_python")
})

test_that("reticulate is given only what the user named, and only where it can take it", {
  source <- paste0("options(rtdmfbio.source = '", tempdir(), "'); ")
  asked <- "'py_require' %in% getNamespaceExports('reticulate')"
  said <- fresh(paste0(source, "rtdmfbio:::require_source(); if (", asked, ") ",
                       "cat(reticulate::py_require()$packages) else cat('no py_require')"))
  expect_match(said, "no py_require|rtdmf-bio @ /")
  expect_no_match(fresh(paste0("rtdmfbio:::require_source(); if (", asked, ") ",
                               "cat(reticulate::py_require()$packages)")), "rtdmf")
})
