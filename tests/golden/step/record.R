# Reference selections by BIC, bidirectional, from the null model.
#   Rscript record.R FOLDER > selections.csv      FOLDER holds table_*.csv (see ../mass/make_tables.py)
# method "step":       stats::step on glm (Poisson), k = log(n)
# method "stepAIC":    MASS::stepAIC on glm.nb (NB2), k = log(n). Its table leaves theta out of the count; that adds the
#                      same log(n) to every model and changes no choice. BIC() includes theta and is what is recorded.
# method "exhaustive": the rules of risk terrain modeling, every candidate fitted to all rows: one variable a factor (the
#                      part of a name before "_b"), no step that leaves a coefficient of the wrong sign; Poisson by glm,
#                      NB1 and NB2 by maximum likelihood with optim; directions aggravating, protective, both.
suppressMessages(library(MASS))
folder <- commandArgs(TRUE)[1]
cat("table,family,method,direction,terms,bic\n")
put <- function(...) cat(sprintf("%s,%s,%s,%s,%s,%.12g\n", ...), sep = "")
fit_bic <- function(d, terms, family) {  # -> bic, coefficients of the terms
  n <- nrow(d); f <- reformulate(c("1", terms, "offset(log(exposure))"), "count")
  g <- glm(f, poisson, d, control = glm.control(epsilon = 1e-12, maxit = 100))
  if (family == "poisson") return(list(bic = BIC(g), b = coef(g)[-1]))
  X <- model.matrix(g); y <- d$count; a <- d$exposure; p <- ncol(X)
  value <- function(v) { mu <- a * exp(drop(X %*% v[1:p])); s <- exp(v[p + 1])
    -sum(dnbinom(y, size = if (family == "nb1") mu / s else 1 / s, mu = mu, log = TRUE)) }
  gradient <- function(v) { mu <- a * exp(drop(X %*% v[1:p])); s <- exp(v[p + 1])
    if (family == "nb1") { r <- mu / s; q <- digamma(y + r) - digamma(r) - log1p(s)
      -c(drop(t(X) %*% (q * r)), s * sum(-q * mu / s^2 + y / s - (y + r) / (1 + s)))
    } else { t1 <- 1 / s; q <- digamma(y + t1) - digamma(t1) + log(t1) + 1 - log(mu + t1) - (y + t1) / (mu + t1)
      -c(drop(t(X) %*% ((y - mu) / (1 + s * mu))), -t1 * sum(q)) } }
  o <- optim(c(coef(g), log(0.8)), value, gradient, method = "BFGS", control = list(reltol = 1e-13, maxit = 1000))
  list(bic = 2 * o$value + log(n) * (p + 1), b = o$par[seq_len(p)][-1])
}
exhaustive <- function(d, candidates, family, sign) {
  factor_of <- sub("_b[0-9]+$", "", candidates); cache <- new.env()
  get_fit <- function(terms) { key <- paste(c("model", sort(terms)), collapse = "+")
    if (is.null(cache[[key]])) cache[[key]] <- fit_bic(d, sort(terms), family); cache[[key]] }
  chosen <- character(0); current <- get_fit(chosen)$bic
  repeat {
    free <- candidates[!(factor_of %in% factor_of[candidates %in% chosen])]
    moves <- c(lapply(free, function(v) c(chosen, v)), lapply(chosen, function(v) setdiff(chosen, v)))
    best <- NULL; best_bic <- current - 1e-6
    for (m in moves) { f <- get_fit(m); if (sign != 0 && any(sign * f$b < 0)) next
      if (f$bic < best_bic) { best <- m; best_bic <- f$bic } }
    if (is.null(best)) return(list(terms = sort(chosen), bic = current))
    chosen <- best; current <- best_bic
  }
}
for (path in sort(Sys.glob(file.path(folder, "table_*.csv")))) {
  name <- sub("^table_(.*)\\.csv$", "\\1", basename(path)); d <- read.csv(path); n <- nrow(d)
  v <- setdiff(names(d), c("count", "exposure")); upper <- reformulate(c(v, "offset(log(exposure))"))
  lower <- ~ offset(log(exposure))
  g <- step(glm(count ~ offset(log(exposure)), poisson, d, control = glm.control(epsilon = 1e-12)), scope = list(lower = lower, upper = upper), direction = "both", k = log(n), trace = 0)
  put(name, "poisson", "step", "both", paste(sort(names(coef(g))[-1]), collapse = " "), BIC(g))
  spread <- sum((d$count - fitted(g))^2 / fitted(g)) / g$df.residual
  if (spread > 1.1) {
    m <- stepAIC(glm.nb(count ~ offset(log(exposure)), d), scope = list(lower = lower, upper = upper), direction = "both", k = log(n), trace = 0)
    put(name, "nb2", "stepAIC", "both", paste(sort(names(coef(m))[-1]), collapse = " "), BIC(m))
  }
  if (n > 5000) next  # every candidate on every row would take hours
  for (family in if (spread > 1.1) c("poisson", "nb1", "nb2") else "poisson") for (direction in c("aggravating", "protective", "both")) {
    e <- exhaustive(d, v, family, c(aggravating = 1, protective = -1, both = 0)[[direction]])
    put(name, family, "exhaustive", direction, paste(e$terms, collapse = " "), e$bic)
  }
}
