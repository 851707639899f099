# Records penalized Poisson paths of glmnet for test_glmnet_paths.py.
#   python make_inputs.py && Rscript record.R
# thresh is tight: at its default (1e-7) glmnet leaves violations of the optimality conditions of one to four per cent.
suppressMessages(library(glmnet))
glmnet.control(fdev = 0, devmax = 1)

json <- function(x) {
  if (is.list(x)) {
    paste0("{", paste(sprintf("\"%s\": %s", names(x), vapply(x, json, "")), collapse = ", "), "}")
  } else if (is.character(x)) {
    sprintf("\"%s\"", x)
  } else if (is.matrix(x)) {
    paste0("[", paste(apply(x, 1, json), collapse = ",\n"), "]")
  } else {
    paste0("[", paste(sprintf("%.10g", x), collapse = ","), "]")
  }
}

limits <- list(aggravating = c(0, Inf), protective = c(-Inf, 0), both = c(-Inf, Inf))
out <- list(versions = sprintf("R %s, glmnet %s", getRversion(), packageVersion("glmnet")))
for (name in c("small", "medium")) {
  d <- read.csv(gzfile(paste0(name, ".csv.gz")))
  X <- as.matrix(d[, -(1:3)]); y <- d$y; a <- d$exposure; foldid <- d$fold + 1L
  n <- length(y)
  for (offset in c(TRUE, FALSE)) {
    off <- if (offset) log(a) else rep(0, n)
    mu <- exp(off) * sum(y) / sum(exp(off))
    g <- drop(crossprod(X, y - mu)) / n
    for (alpha in c(1, 0.5)) for (direction in names(limits)) {
      l <- limits[[direction]]
      pull <- max(if (l[2] > 0) g else -Inf, if (l[1] < 0) -g else -Inf)
      lambda <- pull / alpha * 0.999 * 10^(-3 * (0:19) / 19)
      fit <- function(rows) glmnet(X[rows, ], y[rows], family = "poisson", offset = off[rows], alpha = alpha,
        lambda = lambda, standardize = FALSE, lower.limits = l[1], upper.limits = l[2], thresh = 1e-15, maxit = 1e8)
      cv <- cv.glmnet(X, y, family = "poisson", offset = off, alpha = alpha, lambda = lambda, standardize = FALSE,
        lower.limits = l[1], upper.limits = l[2], thresh = 1e-15, maxit = 1e8, foldid = foldid)
      full <- fit(seq_len(n))
      stopifnot(length(full$lambda) == length(lambda), full$jerr == 0)
      out[[paste(name, if (offset) "offset" else "plain", alpha, direction, sep = "/")]] <- list(
        lambda = lambda, intercept = unname(full$a0), beta = unname(t(as.matrix(full$beta))),
        deviance_explained = full$dev.ratio, cvm = cv$cvm, cvsd = cv$cvsd,
        min = which(cv$lambda == cv$lambda.min), one_se = which(cv$lambda == cv$lambda.1se))
    }
  }
}
writeLines(json(out), gz <- gzfile("paths.json.gz", "w")); close(gz)
