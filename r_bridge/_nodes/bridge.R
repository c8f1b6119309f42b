# The R side of the bridge, evaluated into an environment of its own. Base R only.

# Run `f` and hand back list(value, error, warnings): nothing reaches the user's console.
quietly <- function(f, ...) {
  warnings <- character()
  error <- NULL
  value <- withCallingHandlers(
    tryCatch(f(...), error = function(e) {
      error <<- paste(conditionMessage(e), collapse = " ")
      NULL
    }),
    warning = function(w) {
      warnings <<- c(warnings, conditionMessage(w))
      invokeRestart("muffleWarning")
    },
    message = function(m) invokeRestart("muffleMessage")
  )
  list(value, error, unique(warnings))
}

# An attribute as stored: R counts out row names that it keeps as a number only, however large, and
# some damaged ones are errors, which must not reach C code without a handler.
attribute <- function(x, name) {
  tryCatch(
    if (name == "row.names") .row_names_info(x, 0L) else attr(x, name, exact = TRUE),
    error = function(e) NULL
  )
}

bare <- function(x) {
  attributes(x) <- NULL
  x
}

# A list of the objects in a file.
open_file <- function(path, single) {
  if (single) return(list(readRDS(path)))
  into <- new.env(parent = emptyenv())
  names <- load(path, envir = into)
  structure(lapply(names, binding, into), names = names)
}

# A variable as it is, NULL if there is none: a promise is its code, which `get` would run.
binding <- function(name, from) {
  if (!exists(name, from, inherits = FALSE) || bindingIsActive(as.symbol(name), from)) return(NULL)
  do.call("substitute", list(as.symbol(name), from))
}

# A character vector as UTF-8 bytes: positions among the distinct strings, then their bytes and
# lengths, NA for NA. Strings are UTF-8 if they can be, else Latin-1, whatever the locale and
# whatever they claim.
encode <- function(x) {
  x <- as.vector(x)
  distinct <- unique(x)
  codes <- if (length(distinct) < length(x)) match(x, distinct)
  attributes(distinct) <- NULL
  missing <- is.na(distinct)
  utf8 <- Encoding(distinct) != "latin1" & validUTF8(distinct)
  if (length(distinct)) Encoding(distinct) <- ifelse(utf8, "UTF-8", "latin1")
  distinct <- enc2utf8(distinct)
  list(codes, charToRaw(paste(distinct[!missing], collapse = "")), nchar(distinct, "bytes"))
}

# The way back. `size` is -1 for NA.
decode <- function(bytes, size) {
  text <- rep(NA_character_, length(size))
  at <- which(size >= 0)
  end <- cumsum(size[at])
  text[at] <- vapply(seq_along(at), function(i) {
    rawToChar(bytes[seq.int(end[i] - size[at[i]] + 1, length.out = size[at[i]])])
  }, "")
  Encoding(text) <- "UTF-8"
  text
}

save_object <- function(x, path, name) {
  if (name == "") return(saveRDS(x, path))
  into <- new.env(parent = emptyenv())
  assign(name, x, envir = into)
  save(list = name, envir = into, file = path)
}

named_list <- function(names, ...) structure(list(...), names = names)

# The tables of a PharmacoSet by PharmacoGx's own accessors, whose names changed with the class.
accessors <- function(x) {
  read <- function(...) {
    for (name in c(...)) for (from in c("PharmacoGx", "CoreGx")) {
      if (name %in% getNamespaceExports(from)) return(getExportedValue(from, name)(x))
    }
    stop("PharmacoGx has none of the accessors ", paste(c(...), collapse = ", "))
  }
  loadNamespace("PharmacoGx")
  current <- c("treatmentResponse", "sample", "treatment")
  if ("treatmentResponse" %in% methods::slotNames("PharmacoSet") &&
      !all(current %in% names(attributes(x)))) {
    x <- getExportedValue("BiocGenerics", "updateObject")(x)
  }
  response <- read("treatmentResponse", "sensitivitySlot")
  list(
    sample = read("sampleInfo", "cellInfo"),
    treatment = read("treatmentInfo", "drugInfo"),
    response = if (isS4(response)) {
      assay <- getExportedValue("SummarizedExperiment", "assay")
      list(joined = assay(response, "profiles", withDimnames = TRUE, key = FALSE))
    } else {
      list(
        info = read("sensitivityInfo"),
        profiles = read("sensitivityProfiles"),
        raw = response[["raw"]]
      )
    },
    curation = read("curation"),
    annotation = read("annotation"),
    molecularProfiles = structure(list(), names = character())
  )
}

can_load <- function(package) requireNamespace(package, quietly = TRUE)
