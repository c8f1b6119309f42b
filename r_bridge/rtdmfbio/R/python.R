# The way to Python and back: the name of a function and one raw vector, R's own serialization.
# reticulate converts nothing, since its older versions cannot convert arrays of today's numpy.

state <- new.env(parent = emptyenv())

# Call a function of r_bridge/_reticulate.py. Python's warnings and errors become R's, as text only.
call_python <- function(name, ...) {
  answer <- unserialize(bridge()$call(name, serialize(list(...), NULL, version = 2L)))
  for (text in answer$warnings) warning(in_r(text), call. = FALSE)
  if (!is.null(answer$interrupted)) interrupt(answer$interrupted)
  if (!is.null(answer$error)) fail(in_r(answer$error))
  answer$value
}

# What Python would call by other names.
in_r <- function(text) {
  text <- gsub("=True\\b", " = TRUE", text)
  text <- gsub("=False\\b", " = FALSE", text)
  text <- gsub("\\b(\\w+)='", "\\1 = '", text)
  gsub("(=|, |or |\\[)None\\b", "\\1NULL", text)
}

fail <- function(..., class = NULL) {
  text <- paste0(...)
  stop(structure(list(message = text, call = NULL),
                 class = c(class, "rtdmf_error", "error", "condition")))
}

interrupt <- function(text) {
  text <- paste(c("Interrupted; nothing was changed.", text[nzchar(text)]), collapse = " ")
  signalCondition(structure(list(message = text, call = NULL), class = c("interrupt", "condition")))
  fail(text, class = "rtdmf_interrupt")
}

# The Python module, or an error that says exactly why there is none.
bridge <- function() {
  if (is.null(state$module)) {
    found <- start_python()
    if (!is.null(found$problem)) fail(found$problem, "\n", found$remedy, class = "rtdmf_no_python")
    state$module <- found$module
  }
  state$module
}

# Python as far as it can be had: its path and version, the module, or the problem and its remedy.
start_python <- function() {
  if (!reticulate::py_available()) require_source()
  restore <- set_environment(
    RETICULATE_MINICONDA_ENABLED = "FALSE",
    RETICULATE_USE_MANAGED_VENV = if (is.null(getOption("rtdmfbio.source"))) "no"
  )
  on.exit(restore())
  running <- reticulate::py_available()
  # Its warnings are about other ways to find a Python, such as Poetry.
  config <- tryCatch(
    suppressWarnings(
      if (running) reticulate::py_config() else reticulate::py_discover_config("rtdmf_bio")
    ),
    error = conditionMessage
  )
  if (!is.list(config)) {
    return(list(
      problem = paste0("Python was not found", if (is.character(config)) paste0(": ", config), "."),
      remedy = point_at_python
    ))
  }
  found <- list(python = config$python, version = as.character(config$version))
  fails <- function(problem, remedy) c(found, list(problem = problem, remedy = remedy))
  if (utils::compareVersion(found$version, "3.11") < 0) {
    return(fails(paste0(config$python, " is Python ", found$version, ", and 3.11 is needed."),
                 point_at_python))
  }
  library <- config$libpython
  if (!running && (!is.character(library) || !file.exists(library))) {
    return(fails(
      paste0(config$python, " cannot be loaded into R, since it has no shared library",
             if (is.character(library)) paste0(" (there is no ", library, ")"), "."),
      paste("Take a Python that was built with --enable-shared, such as Debian's with libpython3,",
            "conda's, or that of reticulate::install_python().", point_at_python)
    ))
  }
  # Seen from outside first, since R cannot change to another Python once one has started.
  if (!running && !has_rtdmf_bio(config$python)) return(fails_to_find(found, FALSE))
  module <- tryCatch(
    suppressWarnings({
      reticulate::import("rtdmf_bio")  # By this name reticulate looks for an environment.
      reticulate::import("r_bridge._reticulate")
    }),
    error = conditionMessage
  )
  if (!is.character(module)) return(c(found, list(module = module)))
  # Only the first line: the rest is Python's traceback.
  why <- strsplit(module, "\n", fixed = TRUE)[[1]]
  why <- sub("^(ModuleNotFound|Import)Error: ", "", why[nzchar(why)][1])
  if (grepl("No module named '(r_bridge|rtdmf_bio)", why)) return(fails_to_find(found, TRUE))
  fails(
    paste0("rtdmf_bio cannot be loaded from ", config$python, ": ", why),
    paste0("In a checkout of rtdmf_bio, run: ", config$python,
           " -m pip install --force-reinstall .")
  )
}

has_rtdmf_bio <- function(python) {
  code <- paste0("import sys; sys.path.pop(0); import importlib.util; ",
                 "sys.exit(importlib.util.find_spec('rtdmf_bio') is None)")
  suppressWarnings(
    system2(python, c("-c", shQuote(code)), stdout = FALSE, stderr = FALSE)
  ) == 0
}

fails_to_find <- function(found, running) {
  c(found, list(
    problem = paste0("rtdmf_bio is not installed in ", found$python, "."),
    remedy = paste0("In a checkout of rtdmf_bio, run: ", found$python, " -m pip install .\n",
                    if (running) "This Python has started, so that R must be restarted for another. ",
                    point_at_python)
  ))
}

point_at_python <- paste0(
  "To point at a Python that has rtdmf_bio, call reticulate::use_python(\"/path/to/python\") first, ",
  "or set RETICULATE_PYTHON in .Renviron and restart R."
)

# Newer versions of reticulate can make an environment: only of what the user named, since a bare
# name would be fetched from wherever someone has registered it.
require_source <- function() {
  source <- getOption("rtdmfbio.source")
  if (is.null(source) || !"py_require" %in% getNamespaceExports("reticulate")) return(invisible())
  if (dir.exists(source)) source <- normalizePath(source)
  getExportedValue("reticulate", "py_require")(paste("rtdmf-bio @", source),
                                               python_version = ">=3.11")
}

# Set variables that have no value yet, and return what takes them back.
set_environment <- function(...) {
  values <- Filter(Negate(is.null), list(...))
  values <- values[is.na(Sys.getenv(names(values), NA))]
  if (length(values)) do.call(Sys.setenv, values)
  function() Sys.unsetenv(names(values))
}
