#' @rdname rtdmf_correct
#' @export
rtdmf_correct.PharmacoSet <- function(x, measure = NULL, groups = "tissueid", summary = "median",
                                      higher_is = NULL, unit = NULL, kind = NULL,
                                      censored = "bound", out_of_range = "keep",
                                      combinations = "error", unmatched = "error",
                                      key_added = "rtdmf", measure_name = NULL, ...) {
  if (length(groups) && !is.character(groups)) {
    fail("The groups of a PharmacoSet are names of columns of its table of samples, or NULL.")
  }
  check_name(key_added, "key_added")
  if (!is.null(measure_name)) check_name(measure_name, "measure_name")
  job <- list(
    pset = tables_of(x),
    reading = reading(measure = measure, summary = summary, higher_is = higher_is, unit = unit,
                      kind = kind, censored = censored, out_of_range = out_of_range,
                      combinations = combinations, unmatched = unmatched),
    groups = unique(groups),
    key_added = key_added,
    measure_name = measure_name
  )
  done <- fit(job, ...)
  record <- new_result(done$record)
  if (is.null(record$corrected)) return(record)
  for (note in record$pset$notes) message("Note: ", note)
  lonely <- record$pset$n_without_experiment
  if (lonely > 0) {
    message(format(lonely, big.mark = ","), " imputed pairs of drug and line have no experiment in ",
            "the PharmacoSet; they are in rtdmf_result(x)$corrected.")
  }
  note <- c(done$note, list(result = record))
  if (!is.list(attr(x, "annotation"))) attr(x, "annotation") <- list()
  add_measure(x, done$slot, done$long, done$columns, record$pset$measure, note)
}

# R cannot dispatch on a class whose package is not installed.
is_pset <- function(x) "PharmacoSet" %in% attr(x, "class", exact = TRUE)

reading <- function(...) {
  settings <- list(...)
  for (name in names(settings)) if (!is.null(settings[[name]])) check_name(settings[[name]], name)
  settings
}

# What Python needs of a PharmacoSet of any generation: its slots as attributes of a list, without
# molecular profiles and single doses, and ids as factors, of which Python reads 300,000 at once.
tables_of <- function(x) {
  slots <- attributes(x)
  wanted <- c("annotation", "treatmentResponse", "sensitivity", "sample", "cell", "treatment",
              "drug", "curation")
  slots <- slots[intersect(wanted, names(slots))]
  for (name in intersect(c("treatmentResponse", "sensitivity"), names(slots))) {
    slots[[name]] <- lean_response(slots[[name]])
  }
  if (is.list(slots$annotation)) {
    slots$annotation$rtdmf_bio <- lapply(slots$annotation$rtdmf_bio, function(note) {
      if (is.list(note)) note[names(note) != "result"] else note
    })
  }
  parts <- list()
  attributes(parts) <- slots
  parts
}

lean_response <- function(response) {
  if (isS4(response)) {
    attr(response, "assays") <- attr(response, "assays")["profiles"]
    attr(response, "metadata") <- NULL
    return(response)
  }
  if (!is.list(response)) return(response)
  # What is beyond the largest dose is infinite: that dose is its bound.
  infinite <- holds_infinite(response$profiles)
  doses <- if (infinite) largest_doses(response$raw, names_of_rows(response$info))
  response <- response[intersect(c("info", "profiles"), names(response))]
  response$raw <- doses
  if (is.data.frame(response$info)) {
    kept <- c("treatmentid", "drugid", "sampleid", "cellid")
    if (infinite) kept <- c(kept, grep("dose|conc", names(response$info), TRUE, value = TRUE))
    response$info <- lean_table(response$info, kept)
  }
  if (!is.null(response$info) && identical(names_of_rows(response$info),
                                           names_of_rows(response$profiles))) {
    both <- c("info", "profiles")
    response[both] <- lapply(response[both], without_row_names)
  }
  response
}

holds_infinite <- function(profiles) {
  columns <- if (is.list(profiles)) unclass(profiles) else list(profiles)
  any(vapply(columns, function(x) is.numeric(x) && any(is.infinite(x)), NA))
}

# The array of single doses with the largest alone, in the order of `rows`; NULL if there is none.
largest_doses <- function(raw, rows) {
  if (length(dim(raw)) != 3 || !all(dim(raw))) return(NULL)
  kinds <- dimnames(raw)[[3]]
  at <- if ("Dose" %in% kinds) match("Dose", kinds) else 1L
  doses <- suppressWarnings(as.numeric(raw[, , at]))
  doses[!is.finite(doses) | doses <= 0] <- NA
  doses <- matrix(doses, dim(raw)[1])
  largest <- do.call(pmax, c(lapply(seq_len(ncol(doses)), function(j) doses[, j]), na.rm = TRUE))
  names <- rownames(raw)
  if (!is.null(names) && any(rows %in% names) && !anyDuplicated(names) && !anyDuplicated(rows)) {
    largest <- largest[match(rows, names)]
  }
  if (length(largest) != length(rows)) return(NULL)
  array(largest, c(length(rows), 1, 1), list(NULL, NULL, "Dose"))
}

lean_table <- function(table, kept) {
  attributes <- attributes(table)
  table <- lapply(stats::setNames(unclass(table), names(table)), identity)
  for (name in names(table)) {
    column <- table[[name]]
    if (!name %in% kept) {
      table[name] <- list(NULL)
    } else if (is.character(column) && is.null(dim(column))) {
      levels <- unique(column[!is.na(column)])
      table[[name]] <- structure(match(column, levels), levels = levels, class = "factor")
    }
  }
  attributes(table) <- attributes
  table
}

names_of_rows <- function(table) {
  if (is.data.frame(table)) attr(table, "row.names") else rownames(table)
}

without_row_names <- function(table) {
  if (is.data.frame(table)) {
    attr(table, "row.names") <- .set_row_names(length(attr(table, "row.names")))
  } else {
    dimnames(table) <- list(NULL, colnames(table))
  }
  table
}
