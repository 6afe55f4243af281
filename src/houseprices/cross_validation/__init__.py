"""Folds x models x members -> out-of-fold and test predictions, and their scores."""
