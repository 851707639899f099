"""From a fitted model and the past to surfaces: risk terrain, baselines, forecast, tiers."""
