"""The engine's formulas for numba: compiled code calls the very functions that plain torch calls with tensors.

They are written with torch's functions; here numba learns what those mean for one float32.
"""

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numba.extending import overload, register_jitable

from houseprices.engine import activations, losses, optimizer, regularization

_Function = Callable[..., Any]

_MODULES = (activations, losses, optimizer, regularization)
for _module in _MODULES:
    for _, _formula in inspect.getmembers(_module, inspect.isfunction):
        if _formula.__module__ == _module.__name__:
            register_jitable(error_model="numpy")(_formula)


def digest_of_sources(*others: str) -> str:
    """Hash the sources of the machine code: the modules of formulas, this one and others."""
    files = [__file__, *others, *(str(module.__file__) for module in _MODULES)]
    return hashlib.sha256(b"".join(Path(file).read_bytes() for file in files)).hexdigest()[:16]


def _on_numbers(torch_function: _Function) -> Callable[[_Function], _Function]:
    """Register the decorated function for compiled code, in place of torch's."""

    def register(of_number: _Function) -> _Function:
        @overload(torch_function, {"error_model": "numpy"}, strict=False)
        def implementation(*_types: Any) -> _Function:
            return of_number

        return of_number

    return register


@_on_numbers(torch.where)
def _where(condition: Any, value: Any, other: Any) -> Any:
    return np.float32(value) if condition else np.float32(other)


@_on_numbers(torch.clamp)
def _clamp(value: Any, low: Any, high: Any) -> Any:
    # A value that is no number stays so.
    return high if value > high else low if value < low else value


@_on_numbers(torch.sqrt)
def _sqrt(value: Any) -> Any:
    return np.sqrt(value)


@_on_numbers(torch.exp)
def _exp(value: Any) -> Any:
    return np.exp(value)


@_on_numbers(torch.relu)
def _relu(value: Any) -> Any:
    return np.float32(0) if value < np.float32(0) else value


_BOUND = np.float32(7.90531110763549805)
_A1, _A3, _A5 = np.float32(4.89352455891786e-03), np.float32(6.37261928875436e-04), np.float32(1.48572235717979e-05)
_A7, _A9, _A11 = np.float32(5.12229709037114e-08), np.float32(-8.60467152213735e-11), np.float32(2.00018790482477e-13)
_A13 = np.float32(-2.76076847742355e-16)
_B0, _B2 = np.float32(4.89352518554385e-03), np.float32(2.26843463243900e-03)
_B4, _B6 = np.float32(1.18534705686654e-04), np.float32(1.19825839466702e-06)


@_on_numbers(torch.tanh)
def _tanh(value: Any) -> Any:
    """A quotient of two polynomials, within 4e-7 of tanh: the one that Eigen and XLA compute float32 tanh with."""
    x = min(max(value, -_BOUND), _BOUND)
    s = x * x
    above = x * (_A1 + s * (_A3 + s * (_A5 + s * (_A7 + s * (_A9 + s * (_A11 + s * _A13))))))
    return above / (_B0 + s * (_B2 + s * (_B4 + s * _B6)))
