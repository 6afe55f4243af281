"""The tables of the experiments, split anew by each seed: halves for training and test, the target standardised."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Splits:
    """A table's halves by seed.

    Shape:
        inputs: (n_seeds, n_rows, d_in), targets: (n_seeds, n_rows), in units of the training rows' spread;
            test_inputs, test_targets likewise
    """

    name: str
    seeds: Sequence[int]
    inputs: Tensor
    targets: Tensor
    test_inputs: Tensor
    test_targets: Tensor


def split(name: str, x: NDArray[np.floating], y: NDArray[np.floating], seeds: Sequence[int]) -> Splits:
    """Halve the rows at random; scales are those of the training half."""
    parts: list[list[NDArray[np.floating]]] = [[], [], [], []]
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(y))
        training, test = order[: len(y) // 2], order[len(y) // 2 :]
        spread = x[training].std(axis=0)
        scale = np.where(spread > 0, spread, 1)
        scaled = (x - x[training].mean(axis=0)) / scale
        wanted = (y - y[training].mean()) / y[training].std()
        for part, value in zip(parts, (scaled[training], wanted[training], scaled[test], wanted[test]), strict=True):
            part.append(value)
    return Splits(name, seeds, *(torch.from_numpy(np.stack(part).astype(np.float32)) for part in parts))


def friedman(seeds: Sequence[int], n_rows: int = 400) -> Splits:
    """Friedman's (1991) first function of ten inputs, five of them idle, with noise of size 1: one draw, split anew."""
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(n_rows, noise=1.0, random_state=0)
    return split("friedman1", x, y, seeds)


def diabetes(seeds: Sequence[int]) -> Splits:
    """Scikit-learn's 442 patients: the course of their diabetes from ten measurements."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    return split("diabetes", x, y, seeds)
