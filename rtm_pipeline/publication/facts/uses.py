"""What the surfaces are made for and what they must not be used for, in the words that every product repeats."""

from __future__ import annotations

__all__ = ["USES", "WRONG_USES"]

USES = (
    "choosing vacant lots to green or mow, and buildings to repair, secure or take down",
    "deciding where lights, trees, inspections of property and clean-ups come first",
    "asking why a place is risky, and checking a year later whether the work helped",
)
WRONG_USES = (
    "decisions about any person: it holds no data on persons and says nothing about anyone who lives or walks there",
    "stops, searches, arrests, patrol quotas, or as evidence against anyone",
    "prices, loans, insurance, rents or hiring",
    "calling a neighborhood dangerous: most places in a high class see no incident in most weeks",
    "proof that a factor causes crime: the model finds what goes together, not what brings it about",
)
