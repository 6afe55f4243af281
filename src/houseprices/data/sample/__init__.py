"""A synthetic Ames: Kaggle's columns, a price function that is known and a noise that is known."""
