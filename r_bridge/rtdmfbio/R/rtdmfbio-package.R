#' Correct and complete drug-sensitivity screens
#'
#' Start with [rtdmf_correct()]; [rtdmf_status()] says whether Python is ready for it. Nothing is
#' installed, downloaded or asked when the package is loaded, and Python starts at the first call
#' that needs it.
#'
#' @section Pointing at a Python:
#' Python 3.11 or newer with the package rtdmf_bio is needed, which `pip install .` in a checkout
#' of rtdmf_bio brings. reticulate finds it by itself in a virtual environment called
#' `r-rtdmf_bio`; otherwise say where it is, before Python starts:
#'
#' - for one session, `reticulate::use_python("/path/to/environment/bin/python")`;
#' - for good, a line `RETICULATE_PYTHON=/path/to/environment/bin/python` in the file `.Renviron`;
#' - with reticulate 1.41 or newer, `options(rtdmfbio.source = "/path/to/checkout")` lets reticulate
#'   make an environment of its own with what is there. Nothing is fetched unless you set this.
#'
#' @section Beside other Python code:
#' On Linux, R's own BLAS comes first for whatever is loaded later, and it may be thirty times slower
#' than that of torch. rtdmfbio sees to it when it loads torch itself. If something else in your
#' session uses torch, call [rtdmf_status()] before it.
#'
#' @references Hu et al. Residual thresholded deep matrix factorization. Briefings in
#'   Bioinformatics (2025).
#' @keywords internal
"_PACKAGE"
