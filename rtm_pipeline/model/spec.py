"""What a risk terrain model is asked to do."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BootstrapSpec", "ModelSpec"]


@dataclass(frozen=True, slots=True)
class BootstrapSpec:
    """The two spatial-block bootstraps.

    Attributes
    ----------
    refits : int
        Replicates of the final model's fit: intervals given the selection. 0: none.
    selections : int
        Replicates of screening (at the chosen penalty) and selection: selection frequencies and unconditional
        intervals. 0: none.
    """

    refits: int = 1000
    selections: int = 100
    level: float = 0.90


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Choices of the method.

    Attributes
    ----------
    family : str
        ``auto`` (the better BIC of Poisson and NB1), ``poisson``, ``nb1`` or ``nb2``.
    direction : str
        ``aggravating`` (all coefficients >= 0), ``protective`` (<= 0) or ``both``.
    alpha : float
        Mixing of the elastic net: 1 is the lasso.
    folds : int
    fold_kind : str
        ``balanced`` (folds with equal numbers of incidents) or ``blocks`` (spatial blocks).
    penalty_rule : str
        ``min`` or ``one_se``.
    screen : bool
        Whether the penalized screening runs before the stepwise selection.
    seed : int
        Of folds and bootstraps.
    """

    family: str = "auto"
    direction: str = "aggravating"
    alpha: float = 0.5
    folds: int = 5
    fold_kind: str = "balanced"
    penalty_rule: str = "min"
    screen: bool = True
    seed: int = 0
    bootstrap: BootstrapSpec = BootstrapSpec()
