# Peer of screening.py: cv.glmnet on a sparse matrix, its best form.
#   Rscript screening_peer.R FOLDER ALPHA whole|given|tight
# FOLDER: shape.txt (cells, columns), pointers.bin and rows.bin (int32, compressed sparse columns), counts.bin, folds.bin
# (int32, from 1), offset.bin (float64), penalties.bin (float64: ours, down to the chosen one).
#   whole: cv.glmnet as a user calls it. given: cv.glmnet at our penalties. tight: glmnet at our penalties until the
#   optimality conditions hold, for the coefficients. Prints key=value lines.
suppressMessages({library(glmnet); library(Matrix)})
a <- commandArgs(TRUE); folder <- a[1]; alpha <- as.numeric(a[2])
at <- function(name) file.path(folder, name)
shape <- scan(at("shape.txt"), quiet = TRUE); n <- shape[1]; k <- shape[2]
p <- readBin(at("pointers.bin"), "integer", k + 1)
X <- new("dgCMatrix", i = readBin(at("rows.bin"), "integer", p[k + 1]), p = p, x = rep(1, p[k + 1]), Dim = as.integer(c(n, k)))
y <- readBin(at("counts.bin"), "integer", n); fold <- readBin(at("folds.bin"), "integer", n)
off <- readBin(at("offset.bin"), "double", n)
lambda <- readBin(at("penalties.bin"), "double", file.size(at("penalties.bin")) / 8)
if (a[3] == "tight") {
  t <- system.time(m <- glmnet(X, y, family = "poisson", offset = off, alpha = alpha, standardize = FALSE, lower.limits = 0,
                               lambda = lambda, thresh = 1e-10, maxit = 1e7))
  cat("coefficients=", paste(format(m$beta[, length(lambda)], digits = 12), collapse = " "), "\n", sep = "")
} else {
  t <- system.time(m <- cv.glmnet(X, y, family = "poisson", offset = off, alpha = alpha, standardize = FALSE, lower.limits = 0,
                                  foldid = fold, lambda = if (a[3] == "given") lambda))
  cat("penalties=", length(m$lambda), "\nchosen=", m$index[1], "\nkept=", m$nzero[m$index[1]], "\n", sep = "")
}
cat("cpu=", t[1] + t[2], "\nwall=", t[3], "\n", sep = "")
