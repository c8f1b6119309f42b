test_that("a result becomes an AnnData that Python's own functions take", {
  skip_without_python()
  corrected <- quietly(made_screen(), groups = made_tissues(), higher_is = "resistant")
  adata <- as_anndata(corrected)
  expect_s3_class(adata, "anndata._core.anndata.AnnData")
  rt <- reticulate::import("rtdmf_bio", convert = FALSE)
  expect_identical(reticulate::py_to_r(rt$tl$enrichment(adata)$shape[0]),
                   nrow(rtdmf_enrichment(corrected)))
  shape <- reticulate::py_to_r(adata$shape)
  expect_identical(unlist(shape), c(20L, 40L))
  noise <- reticulate::py_to_r(adata$obs["rtdmf_unexplained_sd"]$to_list())
  expect_equal(unlist(noise), rtdmf_result(corrected)$unexplained_sd_by_drug)
})

test_that("every class has its way to a file", {
  skip_without_python()
  folder <- tempfile()
  dir.create(folder)
  x <- made_screen()
  things <- list(
    matrix = x, frame = as.data.frame(x), experiment = made_experiment(),
    result = rtdmf_result(quietly(x)), corrected = quietly(made_experiment()),
    corrected_frame = quietly(data.frame(drug = rownames(x), x))
  )
  for (name in names(things)) {
    path <- file.path(folder, paste0(name, ".h5ad"))
    expect_identical(write_h5ad(things[[name]], path), path)
    expect_gt(file.size(path), 1000)
  }
  path <- file.path(folder, "pset.h5ad")
  write_h5ad(made_pset(), path, measure = "aac_published")
  expect_gt(file.size(path), 1000)
  expect_error(write_h5ad(x, path, overwrite = FALSE), "exists", class = "rtdmf_error")
  expect_error(write_h5ad(x, file.path(folder, "no", "x.h5ad")), "folder", class = "rtdmf_error")
})

test_that("without names there is no AnnData", {
  skip_without_python()
  expect_error(as_anndata(unname(made_screen())), "needs names")
  expect_error(as_anndata(1:3), "Got an object of class integer")
})
