"""Prediction intervals from out-of-fold residuals."""
