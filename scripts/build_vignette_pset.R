# Makes vignettes/data/gdsc1_part.rds, a PharmacoSet of a part of the bundled screen.
#
#     Rscript scripts/build_vignette_pset.R     (with rtdmfbio installed)
#
# The drugs are those of the vignette and every fourth other one, so that there is a
# screen around them to learn from.
library(rtdmfbio)

x <- rtdmf_gdsc1("matrix")
named <- c("Dabrafenib", "PLX-4720", "Nutlin-3a (-)", "Gefitinib")
drugs <- union(intersect(named, rownames(x)), rownames(x)[seq(1, nrow(x), 4)])
lines <- colnames(x)[seq(1, ncol(x), 2)]
pset <- rtdmf_gdsc1("PharmacoSet")

response <- attr(pset, "treatmentResponse")
keep <- response$info$treatmentid %in% drugs & response$info$sampleid %in% lines
response$info <- response$info[keep, ]
response$profiles <- response$profiles[keep, "aac_published", drop = FALSE]
response$profiles$aac_published <- round(response$profiles$aac_published, 4)
attr(pset, "treatmentResponse") <- response
sample <- attr(pset, "sample")
attr(pset, "sample") <- sample[sample$sampleid %in% lines,
                               c("sampleid", "tissueid", "BRAF_mut", "TP53_mut", "EGFR_mut")]
treatment <- attr(pset, "treatment")
attr(pset, "treatment") <- treatment[treatment$treatmentid %in% drugs, , drop = FALSE]
curation <- attr(pset, "curation")
curation <- lapply(curation, function(one) {
  one[rownames(one) %in% c(drugs, lines), , drop = FALSE]
})
attr(pset, "curation") <- curation
saveRDS(pset, "vignettes/data/gdsc1_part.rds", compress = "xz")
