#' Draw a correction
#'
#' Before and after with the same order and colours (drugs by their mean, lines by group and mean),
#' the residuals with the threshold, and the most enriched drug-group pairs.
#'
#' @param x An [rtdmf_result()], or a corrected matrix.
#' @param which What to draw, all by default: `"before"`, `"after"`, `"threshold"` and
#'   `"enrichment"` (left out where there are no groups). Several share the page.
#' @param n_top Number of enriched pairs.
#' @param ... Not used.
#' @return The result, invisibly.
#' @export
#' @examplesIf rtdmfbio::rtdmf_status()$ready
#' x <- rtdmf_gdsc1("matrix")
#' lines <- names(sort(attr(x, "tissue")))[1:200]
#' corrected <- rtdmf_correct(x[1:60, lines], groups = attr(x, "tissue"), progress = FALSE)
#' plot(corrected)
#' plot(corrected, which = "threshold")
plot.rtdmf_result <- function(x, which = c("before", "after", "threshold", "enrichment"),
                              n_top = 12, ...) {
  panels <- list(before = draw_before, after = draw_after, threshold = draw_threshold,
                 enrichment = draw_enrichment)
  asked <- !missing(which)
  which <- match.arg(which, names(panels), several.ok = TRUE)
  if (is.null(x$flag)) fail("Nothing was corrected (refit = FALSE): there is nothing to draw.")
  if (is.null(x$enrichment) && "enrichment" %in% which) {
    if (asked) fail("There is no enrichment to draw: the correction ran without groups.")
    which <- setdiff(which, "enrichment")
  }
  old <- graphics::par(no.readonly = TRUE)
  on.exit(graphics::par(old))
  if (length(which) > 1) graphics::par(mfrow = c(ceiling(length(which) / 2), 2))
  for (name in which) panels[[name]](x, n_top)
  invisible(x)
}

#' @rdname plot.rtdmf_result
#' @export
plot.rtdmf_matrix <- function(x, ...) {
  plot.rtdmf_result(rtdmf_result(x), ...)
  invisible(x)
}

# Those of Python's pictures, rtdmf_bio/pl/_style.py.
colours <- c(noise = "grey75", kept = "#D55E00", dropped = "#0072B2", sensitive = "#D55E00",
             resistant = "#0072B2")

draw_before <- function(x, n_top) draw_matrix(x, x$measured, "before: measured, white = missing")

draw_after <- function(x, n_top) draw_matrix(x, x$corrected, "after: corrected and completed")

draw_matrix <- function(x, values, title) {
  rows <- order(rowMeans(x$measured, na.rm = TRUE))
  means <- colMeans(x$measured, na.rm = TRUE)
  group <- if (length(x$groups)) as.character(x$groups[[1]]) else rep("", length(means))
  columns <- order(group, means)
  range <- stats::quantile(x$measured[is.finite(x$measured)], c(0.01, 0.99), names = FALSE)
  shown <- pmin(pmax(values, range[1]), range[2])[rows, columns, drop = FALSE]
  palette <- grDevices::hcl.colors(100, "viridis")
  graphics::par(mar = c(3.5, 3, 2.5, 5.5), mgp = c(1, 0.5, 0))
  graphics::image(t(shown), zlim = range, col = palette, axes = FALSE, useRaster = TRUE,
                  xlab = paste0(ncol(shown), " cell lines",
                                if (length(x$groups)) paste0(", by ", names(x$groups)[1])),
                  ylab = paste(nrow(shown), "drugs, by mean"), main = title, font.main = 1)
  graphics::box()
  draw_scale(range, palette, measure_label(x))
}

# A colour scale in the right margin.
draw_scale <- function(range, palette, label) {
  usr <- graphics::par("usr")
  width <- usr[2] - usr[1]
  left <- usr[2] + 0.03 * width
  right <- usr[2] + 0.07 * width
  edges <- seq(usr[3], usr[4], length.out = length(palette) + 1)
  graphics::rect(left, edges[-length(edges)], right, edges[-1], col = palette, border = NA,
                 xpd = NA)
  ticks <- pretty(range, 5)
  ticks <- ticks[ticks >= range[1] & ticks <= range[2]]
  at <- usr[3] + (ticks - range[1]) / (range[2] - range[1]) * (usr[4] - usr[3])
  graphics::axis(4, at = at, labels = ticks, pos = right, las = 1, cex.axis = 0.8, lwd = 0,
                 lwd.ticks = 1, xpd = NA)
  graphics::mtext(label, side = 4, line = 4, cex = 0.75 * graphics::par("cex"))
}

measure_label <- function(x) {
  name <- if (length(x$measure$name)) x$measure$name else "value"
  if (length(x$measure$higher_is)) paste0(name, " (higher = ", x$measure$higher_is, ")") else name
}

draw_threshold <- function(x, n_top) {
  known <- is.finite(x$residual)
  limit <- stats::quantile(abs(x$residual[known]), 0.999, names = FALSE)
  edges <- seq(-limit, limit, length.out = 121)
  shown <- flag_codes[setdiff(names(flag_codes), "imputed")]
  counts <- lapply(shown, function(code) {
    inside <- pmin(pmax(x$residual[known & x$flag == code], -limit), limit)
    tabulate(findInterval(inside, edges, rightmost.closed = TRUE), 120)
  })
  mid <- (edges[-1] + edges[-121]) / 2
  # Every drug has its own size of what is not explained, so that the curve is a sum of normals.
  sd <- as.vector(x$unexplained_sd_by_drug)
  measured <- rowSums(known)
  noise <- rowSums(vapply(which(measured > 0 & !is.na(sd)), function(i) {
    measured[i] * (edges[2] - edges[1]) * stats::dnorm(mid, sd = sd[i])
  }, mid))
  graphics::par(mar = c(3.5, 4.5, 3.5, 1), mgp = c(2, 0.6, 0))
  top <- 30 * max(unlist(counts))
  graphics::plot(NULL, xlim = c(-limit, limit), ylim = c(0.5, top), log = "y", yaxt = "n",
                 xlab = paste0("residual, ", measure_label(x)), ylab = "", font.main = 1,
                 main = sprintf(paste0("threshold \u00b1%.3g\n(of the unexplained, taken as ",
                                       "normal, %.1f %% beyond)"),
                                x$threshold, 100 * x$unexplained_beyond))
  graphics::title(ylab = "entries", line = 3.4)
  ticks <- 10^(0:floor(log10(top)))
  graphics::axis(2, at = ticks, labels = format(ticks, big.mark = ",", scientific = FALSE,
                                                trim = TRUE), las = 1, cex.axis = 0.75)
  some <- counts$corrected > 0
  graphics::rect(edges[-121][some], 0.5, edges[-1][some], counts$corrected[some],
                 col = colours[["noise"]], border = NA)
  for (high in names(high_codes)) {
    height <- pmax(counts[[high]], 0.5)
    graphics::lines(edges, c(height, height[120]), type = "s", lwd = 1.5,
                    col = colours[[c(not_retained = "dropped", retained = "kept")[[high]]]])
  }
  graphics::lines(mid[noise > 0.5], noise[noise > 0.5])
  graphics::segments(c(-1, 1) * x$threshold, 0.1, c(-1, 1) * x$threshold, top / 10, lty = 2)
  share <- sprintf("(%.1f %%)", 100 * vapply(shown, function(code) sum(x$flag == code), 0) /
                                  sum(!flagged(x$flag, flag_codes[["imputed"]])))
  graphics::legend("top", ncol = 2, cex = 0.75, bty = "n", lwd = c(6, 1.5, 1.5, 1),
                   col = c(colours[c("noise", "dropped", "kept")], "black"),
                   legend = c(paste("corrected", share[1]), paste("high, not retained", share[2]),
                              paste("high, retained", share[3]),
                              sprintf("unexplained, sd %.3g", x$unexplained_sd)))
}

draw_enrichment <- function(x, n_top) {
  top <- utils::head(rtdmf_enrichment(x), n_top)
  top <- top[rev(seq_len(nrow(top))), ]
  score <- -log10(pmax(top$qvalue, 1e-300))
  lower <- top$side %in% c("sensitive", "below")
  colour <- ifelse(lower, colours[["sensitive"]], colours[["resistant"]])
  names <- paste(top$drug, top$group, sep = ", ")
  graphics::par(mar = c(3.5, 1 + 0.38 * max(nchar(names), 10), 3.5, 1), mgp = c(2, 0.6, 0))
  graphics::plot(score, seq_along(score), xlim = c(0, max(1.25 * score, 2)), yaxt = "n", ylab = "",
                 ylim = c(0.5, length(score) + 0.5), type = "n", font.main = 1,
                 xlab = "-log10 q (dotted: q = 0.05)", main = "most enriched drug-group pairs")
  graphics::segments(0, seq_along(score), score, col = "grey80", lwd = 2)
  graphics::points(score, seq_along(score), pch = ifelse(lower, 16, 15), col = colour)
  graphics::text(score, seq_along(score), paste(top$n_high_group, "of", top$n_group), pos = 4,
                 cex = 0.7)
  graphics::axis(2, at = seq_along(score), labels = names, las = 1, cex.axis = 0.75)
  graphics::abline(v = -log10(0.05), lty = 3)
  sides <- unique(data.frame(side = top$side, lower = lower))
  graphics::legend("bottomright", bty = "n", cex = 0.8, pch = ifelse(sides$lower, 16, 15),
                   legend = sides$side,
                   col = ifelse(sides$lower, colours[["sensitive"]], colours[["resistant"]]))
}
