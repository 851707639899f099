# Records Moran's I of the R package spdep on small lattices, for test_spdep_moran.py.
# Run from the project's root:  Rscript tests/golden/spdep/record.R
# Cells are given by row (0 at the north) and column; neighbors are the queen's.
library(spdep)

lattice <- function(name, rows, cols, keep, values) {
  row <- rep(seq_len(rows) - 1, each = cols)[keep]
  col <- rep(seq_len(cols) - 1, times = rows)[keep]
  n <- length(row)
  nb <- lapply(seq_len(n), function(i) {
    near <- which(abs(row - row[i]) <= 1 & abs(col - col[i]) <= 1)
    near <- setdiff(near, i)
    if (length(near) == 0) 0L else as.integer(near)
  })
  class(nb) <- "nb"
  attr(nb, "region.id") <- as.character(seq_len(n))
  out <- NULL
  for (style in c("W", "B")) {
    lw <- nb2listw(nb, style = style, zero.policy = TRUE)
    t <- moran.test(values, lw, randomisation = TRUE, zero.policy = TRUE, alternative = "greater")
    out <- rbind(out, data.frame(
      lattice = name, style = style,
      statistic = unname(t$estimate[1]), expectation = unname(t$estimate[2]), variance = unname(t$estimate[3]),
      z = unname(t$statistic), p = t$p.value
    ))
  }
  list(result = out, cells = data.frame(lattice = name, rows = rows, cols = cols, row = row, col = col, value = values))
}

set.seed(20)
full <- lattice("full", 9, 12, rep(TRUE, 108), round(rgamma(108, 0.7), 4))
keep <- runif(180) > 0.3
keep[c(1, 2, 3)] <- c(TRUE, FALSE, TRUE)
keep[c(16, 17, 18, 19)] <- FALSE
holes <- lattice("holes", 12, 15, keep, round(rnorm(sum(keep)) + 0.05 * seq_len(sum(keep)), 4))

# A lone cell: its only neighbors are left out.
lone <- rep(TRUE, 64)
lone[c(2, 9, 10)] <- FALSE
counts <- lattice("lone", 8, 8, lone, rpois(sum(lone), 0.4))

write <- function(x, file) write.csv(format(x, digits = 17), file, row.names = FALSE, quote = FALSE)
write(rbind(full$result, holes$result, counts$result), "tests/golden/spdep/moran.csv")
write(rbind(full$cells, holes$cells, counts$cells), "tests/golden/spdep/cells.csv")
cat(as.character(packageVersion("spdep")), "\n", file = "tests/golden/spdep/VERSION")
