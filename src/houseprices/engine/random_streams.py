"""Random numbers of one network: they depend on its seed alone, so a network trains alike in any batch."""

import numpy as np
from numpy.typing import NDArray

_ORDER, _HIDDEN, _INPUTS, _NOISE = 0, 1, 3, 4
"""Number of each stream under a seed: another number would change every network."""

_LEVELS = 2**16
"""Dropout compares 16-bit integers with a threshold: exact to 1/65,536 and ten times faster than drawing floats."""


class RandomStreams:
    """Rows of each step, and masks of the dropped inputs and units.

    Args:
        seed: seed of the network.
        rows: (n_rows,) its training rows.
        batch_size: rows of a step.
    """

    def __init__(self, seed: int, rows: NDArray[np.int64], batch_size: int) -> None:
        # Separate streams: a change of dropout leaves the order of the rows as it was.
        order, self._hidden, self._inputs, noise = (
            np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(stream,)))
            for stream in (_ORDER, _HIDDEN, _INPUTS, _NOISE)
        )
        self._order, self._noise = np.random.Generator(order), np.random.Generator(noise)
        self._rows = rows
        self._batch_size = batch_size
        self._pending = rows[:0]

    def next_rows(self) -> NDArray[np.int64]:
        """Return the (batch_size,) rows of the next step: shuffled passes over all rows, joined end to end."""
        while len(self._pending) < self._batch_size:
            self._pending = np.concatenate([self._pending, self._order.permutation(self._rows)])
        batch, self._pending = self._pending[: self._batch_size], self._pending[self._batch_size :]
        return batch

    def keep_mask(self, width: int, rate: float) -> NDArray[np.bool_]:
        """Return a (batch_size, width) mask: True with probability 1 - rate, each unit independently."""
        return self._keep(self._hidden, width, rate)

    def input_keep_mask(self, width: int, rate: float) -> NDArray[np.bool_]:
        """Return the same for the inputs."""
        return self._keep(self._inputs, width, rate)

    def input_noise(self, width: int) -> NDArray[np.float32]:
        """Return (batch_size, width) standard normal numbers."""
        return self._noise.standard_normal((self._batch_size, width), dtype=np.float32)

    def dropout_states(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Return the states of the generators that drop inputs and hidden units, for compiled code to continue."""
        states = [bits.state["state"]["state"] for bits in (self._inputs, self._hidden)]
        return states[0].copy(), states[1].copy()

    def _keep(self, bits: np.random.SFC64, width: int, rate: float) -> NDArray[np.bool_]:
        n_units = self._batch_size * width
        integers = bits.random_raw(-(-n_units // 4)).view(np.uint16)[:n_units]
        # The Python integer 65,536, of rate 1, is beyond uint16, and numpy compares it exactly all the same.
        return np.greater_equal(integers.reshape(self._batch_size, width), drop_threshold(rate))


def drop_threshold(rate: float) -> int:
    """Compute the bound of 16 random bits below which a unit is dropped.

    >>> drop_threshold(0.25)
    16384
    """
    return round(rate * _LEVELS)
