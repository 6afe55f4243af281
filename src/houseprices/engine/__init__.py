"""Multilayer perceptrons side by side, each with its own rows, seed, decay and dropout; it knows nothing of houses."""
