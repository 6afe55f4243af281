"""Kaggle's House Prices from raw CSV to a scored submission, with multilayer perceptrons alone."""
