# Flags by number, as in Python's rtdmf_bio.Flag, and which of them mean a high residual.
flag_codes <- c(imputed = 0L, corrected = 1L, not_retained = 2L, retained = 3L)
high_codes <- flag_codes[c("not_retained", "retained")]
retained_codes <- flag_codes["retained"]

# Entries of a matrix of flags that have one of `codes`.
flagged <- function(flag, codes) Reduce(`|`, lapply(codes, function(code) flag == code))
