# Peer of selection.py: MASS::stepAIC on the same columns, cell by cell.
#   Rscript stepwise_peer.R FOLDER poisson|nb2
# FOLDER: shape.txt (cells, columns), counts.bin (int32), exposure.bin (float64), columns.bin (uint8, column after column),
# names.txt. Prints key=value lines.
suppressMessages(library(MASS))
a <- commandArgs(TRUE); folder <- a[1]; family <- a[2]
shape <- scan(file.path(folder, "shape.txt"), quiet = TRUE); n <- shape[1]; k <- shape[2]
y <- readBin(file.path(folder, "counts.bin"), "integer", n); e <- readBin(file.path(folder, "exposure.bin"), "double", n)
con <- file(file.path(folder, "columns.bin"), "rb")
X <- sapply(seq_len(k), function(j) readBin(con, "integer", n, size = 1, signed = FALSE)); close(con)
colnames(X) <- readLines(file.path(folder, "names.txt"))
d <- data.frame(count = y, exposure = e, X); terms <- colnames(X)
null <- count ~ offset(log(exposure))
m0 <- if (family == "poisson") glm(null, poisson, d) else glm.nb(null, d)
t <- system.time(m <- stepAIC(m0, scope = list(lower = ~ offset(log(exposure)), upper = reformulate(c(terms, "offset(log(exposure))"))),
                              direction = "both", k = log(n), trace = 0))
cat("cpu=", t[1] + t[2], "\nwall=", t[3], "\n", sep = "")
cat("path=", paste(sub("^ *", "", as.character(m$anova$Step)[-1]), collapse = ";"), "\n", sep = "")
cat("terms=", paste(names(coef(m))[-1], collapse = " "), "\nbic=", format(BIC(m), digits = 15), "\n", sep = "")
cat("coefficients=", paste(format(coef(m), digits = 12), collapse = " "), "\nmax_mb=", sum(gc()[, 6]), "\n", sep = "")
