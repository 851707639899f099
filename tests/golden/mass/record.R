# Reference fits: stats::glm (Poisson), MASS::glm.nb (NB2), NB1 by maximum likelihood with optim and Newton steps.
#   Rscript record.R FOLDER > fits.csv      FOLDER holds table_*.csv; all columns but count and exposure are terms
# NB1: variance mu + sigma mu. NB2: variance mu + mu^2 / theta; alpha = 1 / theta is recorded.
# BIC counts the dispersion; glm.nb's standard errors hold theta fixed, so those of the joint likelihood are recorded.
suppressMessages(library(MASS))
folder <- commandArgs(TRUE)[1]
cat("table,family,quantity,name,value\n")
put <- function(t, f, q, n, v) cat(sprintf("%s,%s,%s,%s,%.17g\n", t, f, q, n, v), sep = "")
nb_value <- function(v, X, y, a, kind) {
  p <- ncol(X); mu <- a * exp(drop(X %*% v[1:p])); d <- exp(v[p + 1])
  if (kind == "nb1") sum(dnbinom(y, size = mu / d, mu = mu, log = TRUE)) else sum(dnbinom(y, size = 1 / d, mu = mu, log = TRUE))
}
nb_gradient <- function(v, X, y, a, kind) {
  p <- ncol(X); mu <- a * exp(drop(X %*% v[1:p])); d <- exp(v[p + 1])
  if (kind == "nb1") {
    r <- mu / d; by_r <- digamma(y + r) - digamma(r) - log1p(d)
    c(drop(t(X) %*% (by_r * r)), d * sum(-by_r * mu / d^2 + y / d - (y + r) / (1 + d)))
  } else {
    t1 <- 1 / d; by_t <- digamma(y + t1) - digamma(t1) + log(t1) + 1 - log(mu + t1) - (y + t1) / (mu + t1)
    c(drop(t(X) %*% ((y - mu) / (1 + d * mu))), -t1 * sum(by_t))
  }
}
ml <- function(start, X, y, a, kind) {
  v <- optim(start, nb_value, nb_gradient, X = X, y = y, a = a, kind = kind, method = "BFGS",
             control = list(fnscale = -1, reltol = 1e-15, maxit = 2000))$par
  for (i in 1:8) v <- v - solve(optimHess(v, nb_value, nb_gradient, X = X, y = y, a = a, kind = kind), nb_gradient(v, X, y, a, kind))
  list(v = v, value = nb_value(v, X, y, a, kind), H = optimHess(v, nb_value, nb_gradient, X = X, y = y, a = a, kind = kind))
}
for (path in sort(Sys.glob(file.path(folder, "table_*.csv")))) {
  name <- sub("^table_(.*)\\.csv$", "\\1", basename(path)); d <- read.csv(path); n <- nrow(d)
  terms <- setdiff(names(d), c("count", "exposure")); X <- cbind(1, as.matrix(d[terms])); labels <- c("(intercept)", terms)
  g <- glm(reformulate(c(terms, "offset(log(exposure))"), "count"), poisson, d, control = glm.control(epsilon = 1e-14, maxit = 100))
  put(name, "poisson", "coefficient", labels, coef(g)); put(name, "poisson", "se", labels, sqrt(diag(vcov(g))))
  put(name, "poisson", "log_likelihood", "", as.numeric(logLik(g))); put(name, "poisson", "bic", "", BIC(g)); put(name, "poisson", "aic", "", AIC(g))
  if (sum((d$count - fitted(g))^2 / fitted(g)) / g$df.residual < 1.1) next  # not over-dispersed: no NB to record
  m <- glm.nb(reformulate(c(terms, "offset(log(exposure))"), "count"), d, control = glm.control(epsilon = 1e-13, maxit = 200))
  put(name, "nb2", "glm.nb_coefficient", labels, coef(m)); put(name, "nb2", "glm.nb_alpha", "", 1 / m$theta)
  put(name, "nb2", "glm.nb_log_likelihood", "", as.numeric(logLik(m))); put(name, "nb2", "glm.nb_bic", "", BIC(m))
  for (kind in c("nb1", "nb2")) {
    o <- ml(c(coef(g), log(0.8)), X, d$count, d$exposure, kind); p <- length(labels)
    put(name, kind, "coefficient", labels, o$v[1:p]); put(name, kind, "dispersion", "", exp(o$v[p + 1]))
    put(name, kind, "se", labels, sqrt(diag(solve(-o$H)))[1:p])
    put(name, kind, "log_likelihood", "", o$value); put(name, kind, "bic", "", -2 * o$value + log(n) * (p + 1))
  }
}
