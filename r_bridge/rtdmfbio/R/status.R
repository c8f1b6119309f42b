#' Is Python ready?
#'
#' Starts Python, if it has not started yet, and says which one it is, what versions are there,
#' what is missing and what to do about it. It changes nothing and never fails.
#'
#' @return A list of class `rtdmf_status` with `ready` (logical), `python` (path), `version`,
#'   `packages` (named character vector of versions), and, if it is not ready, `problem` and
#'   `remedy`. Print it.
#' @seealso [rtdmfbio-package] on how to point at a Python.
#' @export
#' @examples
#' rtdmf_status()
rtdmf_status <- function() {
  found <- tryCatch(start_python(), error = function(e) {
    list(problem = conditionMessage(e), remedy = point_at_python)
  })
  if (is.null(found$problem)) {
    state$module <- found$module
    known <- call_python("status")
    found$version <- known$version
    found$packages <- unlist(known$packages)
  }
  found$module <- NULL
  structure(c(list(ready = is.null(found$problem)), found), class = "rtdmf_status")
}

#' @export
print.rtdmf_status <- function(x, ...) {
  own <- as.character(utils::packageVersion("rtdmfbio"))
  cat("rtdmfbio ", own, ", reticulate ", as.character(utils::packageVersion("reticulate")), ", R ",
      as.character(getRversion()), "\n", sep = "")
  if (!is.null(x$python)) cat("Python ", x$version, ", ", x$python, "\n", sep = "")
  if (length(x$packages)) cat(paste(names(x$packages), x$packages, collapse = ", "), "\n", sep = "")
  if (x$ready) cat("Ready.\n") else cat("Not ready. ", x$problem, "\n", x$remedy, "\n", sep = "")
  if (x$ready && x$packages[["rtdmf_bio"]] != own) {
    cat("The versions of rtdmfbio and rtdmf_bio differ; install both from one checkout.\n")
  }
  invisible(x)
}
