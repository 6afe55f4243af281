"""The random numbers of one member. They depend on its seed alone, so that a member trains alike in any batch."""

import numpy as np
from numpy.typing import NDArray

NOISE_POOL = 2**18
"""A step's noise is a stretch of this many numbers drawn once, from a random place on: drawing them anew would cost
more than the rest of the step."""

_LEVELS = 2**16
"""Dropout compares 16-bit integers with a threshold: exact to 1/65,536 and ten times faster than drawing floats."""


class MemberStream:
    """Which rows a member sees in each step, which inputs and units it drops, and the noise on its inputs.

    Args:
        seed: the member's seed.
        rows: (n_rows,) the rows that it trains on.
        batch_size: rows a step.
    """

    def __init__(self, seed: int, rows: NDArray[np.int64], batch_size: int) -> None:
        # Streams of their own: a change of dropout leaves the order of the rows as it was.
        order, masks, noise, input_masks = np.random.SeedSequence(seed).spawn(4)
        self._order = np.random.Generator(np.random.SFC64(order))
        self._masks, self._input_masks = np.random.SFC64(masks), np.random.SFC64(input_masks)
        self._noise = np.random.Generator(np.random.SFC64(noise))
        self._rows = rows
        self._batch_size = batch_size
        self._pending = rows[:0]
        self._pool = np.empty(0, dtype=np.float32)

    def next_rows(self) -> NDArray[np.int64]:
        """Return the (batch_size,) rows of the next step: shuffled passes over all rows, joined end to end."""
        while len(self._pending) < self._batch_size:
            self._pending = np.concatenate([self._pending, self._order.permutation(self._rows)])
        batch, self._pending = self._pending[: self._batch_size], self._pending[self._batch_size :]
        return batch

    def keep_mask(self, width: int, rate: float, out: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """Return a (batch_size, width) mask, `out` if given: True with probability 1 - rate, each unit for itself."""
        return self._keep(self._masks, width, rate, out)

    def input_keep_mask(self, width: int, rate: float, out: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """Return the same for the inputs."""
        return self._keep(self._input_masks, width, rate, out)

    def input_noise(self, width: int) -> NDArray[np.float32]:
        """Return (batch_size, width) standard normal numbers."""
        pool, start = self.noise_pool(width), self.noise_start()
        return pool[start : start + self._batch_size * width].reshape(self._batch_size, width)

    def noise_pool(self, width: int) -> NDArray[np.float32]:
        """Return the numbers that the noise of inputs of that width is a stretch of."""
        size = NOISE_POOL + self._batch_size * width
        if len(self._pool) < size:
            self._pool = self._noise.standard_normal(size, dtype=np.float32)
        return self._pool

    def noise_start(self) -> int:
        """Draw where in the pool the next step's noise begins."""
        return int(self._noise.integers(NOISE_POOL))

    def input_state(self) -> NDArray[np.uint64]:
        """Return the state of the generator that drops inputs, for code that draws from it by itself."""
        return _state(self._input_masks)

    def hidden_state(self) -> NDArray[np.uint64]:
        """Return the state of the generator that drops hidden units."""
        return _state(self._masks)

    def _keep(self, bits: np.random.SFC64, width: int, rate: float, out: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        n_units = self._batch_size * width
        integers = bits.random_raw(-(-n_units // 4)).view(np.uint16)[:n_units]
        # The Python integer 65,536, of rate 1, is beyond uint16, and numpy compares it exactly all the same.
        return np.greater_equal(integers.reshape(self._batch_size, width), drop_threshold(rate), out=out)


def drop_threshold(rate: float) -> int:
    """A unit is dropped where its 16 random bits are below this.

    >>> drop_threshold(0.25)
    16384
    """
    return round(rate * _LEVELS)


def _state(bits: np.random.SFC64) -> NDArray[np.uint64]:
    state: NDArray[np.uint64] = bits.state["state"]["state"]
    return state.copy()
