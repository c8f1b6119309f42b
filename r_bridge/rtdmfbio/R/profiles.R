# This file is also evaluated by rtdmf_bio itself: base R only.

# Add columns to the profiles of a PharmacoSet and a note to its annotation. Slots are set as
# attributes, which needs no class definition and leaves everything else as it is.
add_measure <- function(x, slot, long, columns, name, note) {
  response <- attr(x, slot, exact = TRUE)
  if (long) {
    assays <- attr(response, "assays", exact = TRUE)
    assays$profiles <- add_columns(assays$profiles, columns)
    attr(response, "assays") <- assays
  } else {
    response$profiles <- add_columns(response$profiles, columns)
  }
  attr(x, slot) <- response
  annotation <- attr(x, "annotation", exact = TRUE)
  if (is.list(annotation)) {
    if (!is.list(annotation$rtdmf_bio)) annotation$rtdmf_bio <- list()
    annotation$rtdmf_bio[[name]] <- note
    attr(x, "annotation") <- annotation
  }
  x
}

add_columns <- function(table, columns) {
  if (is.matrix(table)) {
    # Not by cbind, which drops attributes, and takes names for arguments and through the locale.
    # Text would keep 15 digits of a number.
    values <- lapply(columns, function(x) {
      if (is.character(table)) ifelse(is.na(x), NA, sprintf("%.17g", x)) else x
    })
    kept <- attributes(table)
    kept$dim[2] <- ncol(table) + length(columns)
    kept$dimnames[[2]] <- c(colnames(table), names(columns))
    table <- c(table, unlist(values, use.names = FALSE))
    attributes(table) <- kept
    return(table)
  }
  # Not by `[[<-`, which data.table and others have made their own.
  kept <- attributes(table)
  kept$names <- c(kept$names, names(columns))
  table <- c(unclass(table), columns)
  attributes(table) <- kept
  table
}
