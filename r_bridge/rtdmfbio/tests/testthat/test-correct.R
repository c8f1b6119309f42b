test_that("a matrix comes back corrected, with its names", {
  skip_without_python()
  x <- made_screen()
  expect_unchanged(x, corrected <- quietly(x, groups = made_tissues()))
  expect_s3_class(corrected, "rtdmf_matrix")
  expect_identical(dimnames(corrected), dimnames(x))
  expect_false(anyNA(corrected))
  flags <- rtdmf_flags(corrected)
  expect_type(flags, "integer")
  expect_identical(flags == 0L, is.na(x))
  expect_setequal(names(which(flags["drug1", ] == 3)),
                  intersect(names(which(!is.na(x["drug1", ]))), paste0("line", 1:10)))
  expect_identical(rtdmf_result(corrected)$measured, x)
  expect_null(attr(corrected, "rtdmf")$corrected)
  hit <- rtdmf_enrichment(corrected, fdr = 0.05)
  expect_identical(hit[1, c("drug", "group", "side")],
                   data.frame(drug = "drug1", group = "skin", side = "below"))
  expect_identical(nrow(rtdmf_enrichment(corrected, fdr = 0)), 0L)
})

test_that("the sides of enrichment are named by the direction of the measure", {
  skip_without_python()
  x <- made_screen()
  side <- function(higher_is) {
    rtdmf_enrichment(quietly(x, groups = made_tissues(), higher_is = higher_is))$side[1]
  }
  expect_identical(side("resistant"), "sensitive")
  expect_identical(side("sensitive"), "resistant")
})

test_that("groups may come in any of the ways R users keep them", {
  skip_without_python()
  x <- made_screen()
  tissue <- made_tissues()
  named <- stats::setNames(tissue, colnames(x))
  expected <- quietly(x, groups = tissue)
  ways <- list(
    factor = factor(tissue),
    `names in another order, and more of them` = c(rev(named), other = "kidney"),
    list = list(group = tissue),
    `data frame` = data.frame(group = tissue),
    `data frame with row names` = data.frame(group = named)[rev(colnames(x)), , drop = FALSE]
  )
  for (way in names(ways)) {
    expect_identical(quietly(x, groups = ways[[way]]), expected, label = way)
  }
  numbered <- quietly(x, groups = match(tissue, unique(tissue)))
  expect_identical(bare(numbered), bare(expected))
  expect_identical(rtdmf_enrichment(numbered)$group[1], "1")
  both <- rtdmf_enrichment(quietly(x, groups = list(tissue = tissue, half = tissue == "skin")))
  expect_setequal(both$group_key, c("tissue", "half"))
})

test_that("names and integers make no difference to the values", {
  skip_without_python()
  x <- made_screen()
  expected <- unname(bare(quietly(x)))
  expect_identical(bare(quietly(unname(x))), expected)
  expect_identical(quietly(matrix(as.vector(x), 20, dimnames = list(NULL, colnames(x))))[1, 1:3],
                   quietly(x)[1, 1:3])
  whole <- round(x * 1000)
  integers <- matrix(as.integer(whole), nrow(x), dimnames = dimnames(x))
  expect_identical(bare(quietly(integers)), bare(quietly(whole)))
})

test_that("a data frame comes back as one, its drug column untouched", {
  skip_without_python()
  x <- made_screen()
  expected <- bare(quietly(x, groups = made_tissues()))
  frames <- list(
    `row names` = as.data.frame(x),
    `column of text` = data.frame(compound = rownames(x), x),
    factor = data.frame(x, compound = factor(rownames(x))),
    named = data.frame(id = rownames(x), x, note = 1)
  )
  frames$named$note <- NULL
  for (way in names(frames)) {
    frame <- frames[[way]]
    expect_unchanged(frame, corrected <- quietly(frame, groups = made_tissues()))
    expect_identical(class(corrected), class(frame))
    expect_identical(names(corrected), names(frame))
    expect_identical(row.names(corrected), row.names(frame))
    text <- !vapply(frame, is.numeric, NA)
    expect_identical(unclass(corrected)[text], unclass(frame)[text])
    result <- rtdmf_result(corrected)
    expect_identical(result$corrected, expected, label = way)
    expect_identical(dimnames(result$flag), dimnames(x))
    # As dplyr does, which keeps attributes.
    sorted <- corrected[20:1, ]
    attr(sorted, "rtdmf") <- attr(corrected, "rtdmf")
    expect_error(rtdmf_flags(sorted), "sorted", class = "rtdmf_error")
  }
})

test_that("what is computed from a corrected matrix is a plain one", {
  skip_without_python()
  x <- quietly(made_screen())
  plain <- list(x[1:3, ], x + 1, 1 - x, -x, x > 0.5, x * x, round(x, 2), log(abs(x)), t(x),
                as.matrix(x))
  for (i in seq_along(plain)) expect_null(attr(plain[[i]], "rtdmf"))
  expect_identical(t(x), t(bare(x)))
  expect_identical(x * x, bare(x) * bare(x))
  expect_error(rtdmf_flags(x[1:3, ]), "no correction", class = "rtdmf_error")
  expect_identical(bare(quietly(x)), bare(quietly(bare(x))))
})

test_that("printing says what was done and shows a corner", {
  skip_without_python()
  x <- quietly(made_screen(), groups = made_tissues())
  expect_output(print(x), "20 drugs x 40 cell lines.*held out .*drug mean.*drug1 in skin.*line5")
  expect_output(print(rtdmf_result(x)), "threshold")
})

test_that("a SummarizedExperiment gets assays, counts and the record", {
  skip_without_python()
  se <- made_experiment()
  matrix <- quietly(made_screen(), groups = made_tissues())
  corrected <- quietly(se)
  expect_identical(SummarizedExperiment::assayNames(corrected),
                   c("auc", "other", paste0("rtdmf", layers)))
  expect_identical(SummarizedExperiment::assayNames(se), c("auc", "other"))
  expect_identical(SummarizedExperiment::assay(corrected, "rtdmf"), bare(matrix))
  expect_identical(rtdmf_flags(corrected), rtdmf_flags(matrix))
  expect_identical(rtdmf_enrichment(corrected)$pvalue, rtdmf_enrichment(matrix)$pvalue)
  counts <- SummarizedExperiment::colData(corrected)$rtdmf_n_imputed
  expect_identical(counts, unname(as.integer(colSums(is.na(made_screen())))))
  kept <- SummarizedExperiment::rowData(corrected)$rtdmf_n_retained
  expect_identical(kept, unname(as.integer(rowSums(rtdmf_flags(matrix) == 3L))))
  part <- corrected[20:15, 5:9]
  expect_identical(rtdmf_flags(part), rtdmf_flags(matrix)[20:15, 5:9])
  expect_identical(rtdmf_result(part)$unexplained_sd_by_drug,
                   as.vector(rtdmf_result(matrix)$unexplained_sd_by_drug)[20:15])
  expect_error(quietly(corrected), "rtdmf_residual.*overwrite = TRUE", class = "rtdmf_error")
  expect_identical(rtdmf_flags(quietly(corrected, overwrite = TRUE)), rtdmf_flags(corrected))
  two <- quietly(corrected, assay = "other", groups = NULL, key_added = "second")
  expect_error(rtdmf_result(two), "several.*'rtdmf', 'second'")
  expect_identical(rtdmf_result(two, "second")$measured, made_screen() * 2)
  expect_identical(rtdmf_flags(quietly(se, assay = 2, groups = NULL)), rtdmf_flags(two, "second"))
})

test_that("intervals and q values are of the values, in every class", {
  skip_without_python()
  x <- made_screen()
  result <- rtdmf_result(quietly(x, groups = made_tissues()))
  expect_identical(names(result)[1:8], c("corrected", "measured", names(layers)[-1]))
  for (name in names(layers)) expect_identical(dimnames(result[[name]]), dimnames(x))
  expect_true(all(result$lower < result$corrected & result$corrected < result$upper))
  expect_true(all(result$sd > 0))
  expect_identical(is.na(result$qvalue), is.na(x))
  expect_true(all(result$qvalue >= 0 & result$qvalue <= 1, na.rm = TRUE))
  wide <- rtdmf_result(quietly(x, groups = made_tissues(), coverage = 0.99))
  expect_true(all(wide$upper > result$upper))
  frame <- rtdmf_result(quietly(as.data.frame(x), groups = made_tissues()))
  expect_identical(frame[names(layers)], unclass(result)[names(layers)])
  experiment <- quietly(made_experiment())
  expect_identical(rtdmf_result(experiment)[names(layers)], unclass(result)[names(layers)])
  expect_identical(rtdmf_result(experiment[20:15, 5:9])$upper, result$upper[20:15, 5:9])
  # One of a version without them.
  gone <- paste0("rtdmf", c("_lower", "_upper", "_sd", "_qvalue"))
  SummarizedExperiment::assays(experiment)[gone] <- NULL
  expect_null(rtdmf_result(experiment)$lower)
  expect_identical(rtdmf_flags(experiment), result$flag)
  bare <- rtdmf_result(quietly(x, retain = "all", crossfit = 0))
  expect_true(all(is.na(bare$lower)))
  expect_identical(bare$noise$source, "none")
})

test_that("noise that is known is given as a number, or by drug", {
  skip_without_python()
  x <- made_screen()
  noise <- stats::setNames(seq(0.03, 0.07, length.out = 20), rownames(x))
  expected <- quietly(x, noise_sd = unname(noise))
  expect_identical(quietly(x, noise_sd = rev(noise)), expected)
  expect_identical(rtdmf_result(expected)$noise$source, "given")
  expect_equal(rtdmf_result(quietly(x, noise_sd = 0.05))$noise$sd, 0.05)
  expect_equal(rtdmf_result(quietly(x, noise_sd = c(sd = 0.05)))$noise$sd, 0.05)
  expect_error(quietly(x, noise_sd = noise[1:3]), "17 drugs of X are not in it",
               class = "rtdmf_error")
  expect_error(quietly(x, noise_sd = c(0.1, 0.2)), "one for each of the 20 drugs",
               class = "rtdmf_error")
  expect_error(quietly(x, noise_sd = "error"), "no column 'error'", class = "rtdmf_error")
  expect_error(quietly(x, noise_sd = c(0.1, NA)), "without NA", class = "rtdmf_error")
})

test_that("high can be what has a low false discovery rate", {
  skip_without_python()
  result <- rtdmf_result(quietly(made_screen(), groups = made_tissues(), threshold = "fdr:0.05"))
  high <- result$flag >= 2
  expect_identical(high, !is.na(result$qvalue) & result$qvalue <= 0.05)
  expect_match(result$threshold_how, "false discovery rate 0.05")
})

test_that("a SummarizedExperiment may be of any make", {
  skip_without_python()
  se <- made_experiment()
  expected <- quietly(se)
  ranged <- methods::as(se, "RangedSummarizedExperiment")
  expect_s4_class(quietly(ranged), "RangedSummarizedExperiment")
  run_length <- se
  SummarizedExperiment::colData(run_length)$tissue <- S4Vectors::Rle(made_tissues())
  expect_identical(rtdmf_enrichment(quietly(run_length)), rtdmf_enrichment(expected))
  delayed <- se
  SummarizedExperiment::assay(delayed, "auc") <- DelayedArray::DelayedArray(made_screen())
  expect_identical(rtdmf_flags(quietly(delayed)), rtdmf_flags(expected))
})

test_that("names in any encoding come back as they were", {
  skip_without_python()
  x <- made_screen()
  latin1 <- "M\xfcller"
  Encoding(latin1) <- "latin1"
  rownames(x)[1:2] <- c("\u03b2-Lapachone", latin1)
  names(dimnames(x)) <- c("drug", "line")
  tissue <- sub("skin", latin1, made_tissues())
  corrected <- quietly(x, groups = tissue)
  expect_identical(dimnames(corrected), dimnames(x))
  expect_identical(dimnames(rtdmf_flags(corrected)), dimnames(x))
  hit <- rtdmf_enrichment(corrected)[1, ]
  expect_identical(hit$drug, rownames(x)[1])
  expect_identical(hit$group, latin1)
})

test_that("a column without a single measurement may be carried along", {
  skip_without_python()
  frame <- data.frame(drug = rownames(made_screen()), made_screen())
  frame$line5 <- NA
  expect_error(quietly(frame), "'line5'.*unmeasured = 'nan'")
  corrected <- quietly(frame, unmeasured = "nan")
  expect_true(all(is.na(corrected$line5)))
  expect_false(anyNA(corrected[names(corrected) != "line5"]))
})
