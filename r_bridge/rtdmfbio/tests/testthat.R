library(testthat)
library(rtdmfbio)

test_check("rtdmfbio")
