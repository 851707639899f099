"""Elastic-net Poisson over a path of penalties, eight problems at a time, to the exact optimality conditions."""
