"""``MODEL_CARD.md``: what the model is, from what, how good, and what it must not be used for."""
