"""How good is a surface: PAI, PEI, RRI, calibration, residuals, disparity, on a later period."""
