"""Typed table -> a matrix of numbers, fitted on the training rows of a fold."""
