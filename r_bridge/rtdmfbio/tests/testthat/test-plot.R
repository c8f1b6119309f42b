drawn <- function(code) {
  path <- tempfile(fileext = ".pdf")
  grDevices::pdf(path)
  before <- graphics::par(no.readonly = TRUE)
  force(code)
  after <- graphics::par(no.readonly = TRUE)
  grDevices::dev.off()
  expect_identical(after[c("mfrow", "mar", "mgp")], before[c("mfrow", "mar", "mgp")])
  file.size(path)
}

test_that("a correction is drawn, whole and in parts", {
  skip_without_python()
  corrected <- quietly(made_screen(), groups = made_tissues(), higher_is = "resistant")
  result <- rtdmf_result(corrected)
  expect_gt(drawn(plot(corrected)), drawn(plot(result, which = "enrichment")))
  for (part in c("before", "after", "threshold", "enrichment")) {
    expect_gt(drawn(plot(result, which = part)), 3000)
  }
  drawn(expect_identical(plot(result), result))
})

test_that("without groups there is no panel of enrichment, and asking for it is an error", {
  skip_without_python()
  corrected <- quietly(made_screen())
  expect_gt(drawn(plot(corrected)), 3000)
  expect_error(plot(corrected, which = "enrichment"), "without groups", class = "rtdmf_error")
  expect_error(plot(corrected, which = "all"), "should be one of")
})
