"""Layers + grid + what was known when -> risk factors: distance, density, operationalization."""

from rtm_pipeline.factors.continuous import Continuous, continuous
from rtm_pipeline.factors.factor import Clustering, DensityCut, Factor, FrozenCuts
from rtm_pipeline.factors.features import Features
from rtm_pipeline.factors.operationalization import at, operationalize
from rtm_pipeline.factors.rows import unknown_at
from rtm_pipeline.factors.spec import FactorSpec, Variable

__all__ = [
    "Clustering",
    "Continuous",
    "DensityCut",
    "Factor",
    "FactorSpec",
    "Features",
    "FrozenCuts",
    "Variable",
    "at",
    "continuous",
    "operationalize",
    "unknown_at",
]
