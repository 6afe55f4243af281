"""Cross-validation: folds x models x networks -> out-of-fold and test predictions, and their scores."""
