"""From surface to work: effects, benefits, portfolios under a budget, neighborhoods, zones."""
