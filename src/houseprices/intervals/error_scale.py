"""How far off the networks may be for a house: the scale that its residual is counted in.

A residual of a cheap, old or oddly sold house is larger than another, in log price too: intervals of one width in logs
cover 84% of the cheapest quarter and 94% of the next (LOG.md). So ridge regression learns the logarithm of the
residuals' sizes from the predicted price, the spread of the networks and a few plain properties. The regression of a
fold is fitted to rows outside it alone. The residuals of those rows, though, come from networks of other folds, which
were trained on the fold's rows: by that way a price moves the scale of its own row a little.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from houseprices.data.schema import BY_NAME

if TYPE_CHECKING:  # what reads error scales from a file does not wait for pandas
    from houseprices.preprocessing.house_array import HouseArray

Floats = NDArray[np.float64]

N_ERROR_FEATURES = 10

_SMALL_RESIDUAL = 0.02
"""Added before the logarithm is taken: a residual of 2% is as good as none."""

_SMALL_SPREAD = 0.005
_RIDGE = 10.0
"""The penalty on standardised features: as if ten more rows had said that none of them matters."""

_USUAL_LOG_PRICE = 12.0


@dataclass(frozen=True)
class ErrorScale:
    """exp(intercept + (features - centre) * coefficients), where an unknown one counts as the centre's.

    The logarithm is held between low and high, the least and the most that the fitted rows have: an odd house gets the
    widest interval that was seen, not an extrapolated one.
    """

    # What reads it back from a file refuses other fields, and what is no number.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "allow_inf_nan": False}

    intercept: float
    centre: list[float]
    coefficients: list[float]
    low: float
    high: float

    def __call__(self, features: Floats) -> Floats:
        """Return the expected sizes, (n_rows,), of residuals, from `error_features`."""
        effects = np.nan_to_num(features - self.centre) @ np.array(self.coefficients)
        return np.asarray(np.exp(np.clip(self.intercept + effects, self.low, self.high)))


def error_features(prediction: ArrayLike, spread: ArrayLike, houses: "HouseArray") -> Floats:
    """What may tell how far off a prediction is: (n_rows, 10), NaN where it is unknown.

    Args:
        prediction: (n_rows,) log prices.
        spread: (n_rows,) standard deviation of the predictions that it is the mean of.
        houses: n_rows of them.
    """
    level = np.asarray(prediction, dtype=np.float64) - _USUAL_LOG_PRICE
    features = [level, level**2, np.log(np.asarray(spread) + _SMALL_SPREAD)]
    features += [houses[name] for name in ("YearBuilt", "OverallQual", "OverallCond")]
    features += [np.log(houses[name]) for name in ("LotArea", "GrLivArea")]
    levels = BY_NAME["SaleCondition"].levels
    features += [(houses["SaleCondition"] == levels.index(sale)).astype(np.float64) for sale in ("Abnorml", "Partial")]
    return np.column_stack(features)


def fit_error_scale(features: Floats, residuals: Floats) -> ErrorScale:
    """Fit to features, (n_rows, n_features), and residuals, (n_rows,), log price - out-of-fold prediction."""
    n_known = (~np.isnan(features)).sum(axis=0)
    centre = np.nansum(features, axis=0) / np.maximum(n_known, 1)
    centred = np.nan_to_num(features - centre)
    spread = centred.std(axis=0)
    spread[spread == 0] = 1.0
    standardized = centred / spread
    size = np.log(np.abs(residuals) + _SMALL_RESIDUAL)
    intercept = size.mean()
    penalty = _RIDGE * np.eye(features.shape[1])
    effects = np.linalg.solve(standardized.T @ standardized + penalty, standardized.T @ (size - intercept))
    fitted = intercept + standardized @ effects
    low, high = float(fitted.min()), float(fitted.max())
    return ErrorScale(float(intercept), centre.tolist(), (effects / spread).tolist(), low, high)


def fit_error_scales(
    features: Floats, residuals: Floats, fold_of_row: NDArray[np.int64], among: NDArray[np.bool_] | None = None
) -> list[ErrorScale]:
    """Fit one to the rows outside each fold of each repeat, which its networks saw: n_repeats x n_folds of them.

    Shape:
        features: (n_rows, n_features)
        residuals: (n_rows,)
        fold_of_row: (n_repeats, n_rows)
        among: (n_rows,) the rows that may be looked at; None for all

    Of two folds with one out of sight, no row is outside the other: it is fitted to its own rows then.
    """
    seen = np.ones(len(residuals), dtype=np.bool_) if among is None else among
    outside = [seen & (folds != fold) for folds in fold_of_row for fold in range(folds.max() + 1)]
    fitted = [rows if rows.any() else seen for rows in outside]
    return [fit_error_scale(features[rows], residuals[rows]) for rows in fitted]


def scale_of_rows(features: Floats, fold_of_row: NDArray[np.int64], scales: list[ErrorScale]) -> Floats:
    """The scales of training rows, (n_rows,): the mean over repeats of what the folds that held each row out expect.

    Shape:
        features: (n_rows, n_features)
        fold_of_row: (n_repeats, n_rows)
        scales: n_repeats x n_folds of them
    """
    of_folds = np.stack([scale(features) for scale in scales]).reshape(len(fold_of_row), -1, len(features))
    held_out = np.take_along_axis(of_folds, fold_of_row[:, None], axis=1)
    return np.asarray(held_out.mean(axis=(0, 1)))
