# Everything that may stand in a message, once to Python and back.

same <- list(
  null = NULL,
  true = TRUE,
  integer = 3L,
  double = 0.1,
  text = "a",
  beyond_ascii = "\u03b2-Lapachone \u00fc \U0001F9EC",
  integers = c(1L, NA, -5L),
  doubles = c(1, NA, NaN, Inf, -Inf, -0, .Machine$double.xmin / 4, pi),
  logicals = c(TRUE, NA, FALSE),
  texts = c("a", NA, "", "b c"),
  factor = factor(c("b", "a", NA, "b"), levels = c("b", "a")),
  ordered = factor(c("low", "high"), levels = c("low", "high"), ordered = TRUE),
  matrix = matrix(c(1, NA, NaN, 2.5, -0, 6), 2, dimnames = list(c("x", "y"), c("a", "b", "c"))),
  integer_matrix = matrix(c(1:5, NA), 2),
  half_named = matrix(0, 2, 1, dimnames = list(NULL, "a")),
  no_rows = matrix(0, 0, 3, dimnames = list(NULL, letters[1:3])),
  data_frame = data.frame(a = c(1.5, NA), b = c("x", NA), c = factor(c("u", NA)), d = c(TRUE, NA)),
  list = list(1L, "a", list(TRUE, "b")),
  named_list = list(a = 1L, b = list(c = "d", e = c(1, 2)))
)

for (name in names(same)) {
  test_that(paste(name, "comes back from Python as it went"), {
    skip_without_python()
    value <- same[[name]]
    expect_identical(call_python("echo", value), value)
  })
}

test_that("numbers keep their bits, NA and NaN and the sign of zero among them", {
  skip_without_python()
  large <- matrix(rnorm(1e5), 100)
  large[c(5, 500)] <- NA
  large[c(6, 600)] <- NaN
  bits <- function(x) writeBin(as.vector(x), raw())
  for (x in list(same$doubles, same$matrix, large)) {
    expect_identical(bits(call_python("echo", x)), bits(x))
  }
})

test_that("what has no counterpart is refused by name", {
  skip_without_python()
  expect_error(call_python("echo", sum), "function|builtin|other", class = "rtdmf_error")
})
