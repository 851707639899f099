"""Risk terrain modeling for cities: which places need greening and abatement first, and how sure we are."""

__version__ = "0.1.0"
