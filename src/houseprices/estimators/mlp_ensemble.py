"""An ensemble of multilayer perceptrons for any numeric table, as a scikit-learn regressor."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, overload

import numpy as np
import torch
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from houseprices.cross_validation.ensemble import ensemble_mean
from houseprices.cross_validation.fold import assign_folds
from houseprices.cross_validation.intervals import cv_plus_intervals
from houseprices.engine.activations import Activation
from houseprices.engine.losses import Loss
from houseprices.engine.mlp import BatchedMLP
from houseprices.engine.optimizer import DecayKind, Schedule
from houseprices.engine.specs import Hyperparameters, NetworkSpec, TrainingData
from houseprices.engine.training import open_executor, submit_networks

Floats = NDArray[np.float64]

_STEPS_PER_EPOCH, _SMALLEST_BATCH, _LARGEST_BATCH = 16, 16, 256


@dataclass(frozen=True)
class _Scaling:
    """Weighted means and standard deviations of the columns and of the target; a constant column has scale inf."""

    centre: Floats
    scale: Floats
    target_mean: float
    target_std: float

    @classmethod
    def fit(cls, inputs: Floats, targets: Floats, weights: Floats) -> Self:
        """Fit on training rows."""
        share = weights / weights.sum()
        centre, mean = share @ inputs, float(share @ targets)
        spread = np.sqrt(share @ (inputs - centre) ** 2)
        # A column that is constant but for rounding errors says nothing.
        scale = np.where(spread > 1e-12 * np.abs(centre), spread, np.inf)
        return cls(centre, scale, mean, float(np.sqrt(share @ (targets - mean) ** 2)) or 1.0)

    def inputs(self, inputs: Floats) -> NDArray[np.float32]:
        """Standardise columns, (n_rows, d_in)."""
        return ((inputs - self.centre) / self.scale).astype(np.float32)

    def predict(self, network: BatchedMLP, inputs: Floats) -> Floats:
        """Predict in units of the target: (n_rows, d_in) -> (n_networks, n_rows)."""
        outputs = network.predict(torch.from_numpy(self.inputs(inputs)).to(network.parameters.device))
        return self.target_mean + self.target_std * outputs.cpu().numpy().astype(np.float64)


def _has_folds(estimator: "MLPEnsembleRegressor") -> bool:
    if estimator.folds == 0:
        raise AttributeError("predict_interval needs the residuals of held-out rows: folds must be at least 2, got 0")
    return True


class MLPEnsembleRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Multilayer perceptrons trained side by side, regularised by weight decay and dropout, and averaged.

    Columns and target are standardised on the training rows. With folds, each fold's networks are trained on the rows
    of the other folds: every row has an out-of-fold prediction, which calibrates `predict_interval`; a new row is
    predicted by all networks.

    Rows are sorted first and equal ones merged: their order does not matter, and a row of weight 2 equals two rows.

    Args:
        hidden: units of each hidden layer; () for a linear network.
        activation: relu or tanh.
        linear_path: whether inputs also reach the output directly, beside the hidden layers.
        dropout: share of hidden units dropped in training, in [0, 1).
        input_dropout: share of inputs dropped in training.
        loss: huber, or a likelihood whose scale the networks learn too: gaussian, or student_t with heavy tails.
        huber_delta: Huber's errors beyond it, in standard deviations of the target, count linearly; infinite: none.
        weight_decay: strength of the decay of the weights, >= 0.
        decay_kind: decoupled, as AdamW does, or coupled, as a penalty in the loss.
        learning_rate: at the schedule's top.
        schedule: cosine or constant.
        epochs: passes over the rows.
        batch_size: rows a step; auto makes it a 16th of the rows, at least 16 and at most 256.
        members: networks a fold, or in all without folds, alike but for their seeds.
        folds: parts of the rows, each held out once; 0 to train every network on all rows.
        device: auto, cpu or cuda; auto takes a CUDA device if there is one.
        n_jobs: threads that train at the same time, in joblib's sense; the result does not depend on it.
        random_state: fixes folds and networks.

    Attributes:
        n_features_in_: number of columns.
        feature_names_in_: their names, where `fit` had a DataFrame.
        fold_of_row_: (n_rows,) the fold that held each row out, -1 for rows of weight 0; only with folds.
        out_of_fold_prediction_: (n_rows,) by networks that never saw the row, NaN if it has weight 0; only with folds.

    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = MLPEnsembleRegressor(random_state=0).fit(X[:400], y[:400])
    >>> model.predict(X[400:]).shape
    (42,)
    >>> lower, upper = model.predict_interval(X[400:], coverage=0.9)
    >>> bool(((lower <= y[400:]) & (y[400:] <= upper)).mean() > 0.8)
    True
    """

    def __init__(
        self,
        hidden: Sequence[int] = (128,),
        *,
        activation: Activation = "relu",
        linear_path: bool = True,
        dropout: float = 0.15,
        input_dropout: float = 0.0,
        loss: Loss = "huber",
        huber_delta: float = math.inf,
        weight_decay: float = 0.5,
        decay_kind: DecayKind = "decoupled",
        learning_rate: float = 1e-2,
        schedule: Schedule = "cosine",
        epochs: int = 60,
        batch_size: int | Literal["auto"] = "auto",
        members: int = 2,
        folds: int = 5,
        device: Literal["auto", "cpu", "cuda"] = "cpu",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.linear_path = linear_path
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.loss = loss
        self.huber_delta = huber_delta
        self.weight_decay = weight_decay
        self.decay_kind = decay_kind
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.epochs = epochs
        self.batch_size = batch_size
        self.members = members
        self.folds = folds
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:  # noqa: N803  # scikit-learn's name
        """Train on X, (n_rows, n_features), and y, (n_rows,).

        Args:
            X: numbers without gaps.
            y: the target.
            sample_weight: (n_rows,) >= 0, of the rows' losses; a row of weight 0 is left out.

        Raises:
            ValueError: a parameter is out of range, X or y has gaps, infinities or too few rows, the target is
                constant, or a weight is negative.
        """
        table, target = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        all_weights = _check_sample_weight(sample_weight, table, dtype=np.float64, ensure_non_negative=True)
        rows, row_of = _distinct_rows(table, target, all_weights)
        inputs, targets, weights = rows[:, :-2], rows[:, -2], rows[:, -1]
        if len(rows) < 2:
            raise ValueError(f"n_samples={len(rows)} different rows of weight above 0; a minimum of 2 is required")
        if np.ptp(targets) == 0:
            raise ValueError(f"y is constant, {targets[0]:g}; there is nothing to learn")
        base_seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        if self.folds == 0:
            fold_of_distinct = None
            training_sets = [np.arange(len(rows))]
        else:
            n_folds = min(self._checked("folds", self.folds, 2), len(rows))
            fold_of_distinct = assign_folds(len(rows), n_folds, 1, base_seed)[0]
            training_sets = [np.flatnonzero(fold_of_distinct != fold) for fold in range(n_folds)]
        self._train(inputs, targets, weights, training_sets, base_seed)
        for name in ("fold_of_row_", "out_of_fold_prediction_", "_residuals"):
            self.__dict__.pop(name, None)  # of an earlier fit
        if fold_of_distinct is not None:
            by_fold = ensemble_mean({"networks": self._predict_networks(inputs)})
            out_of_fold = by_fold[fold_of_distinct, np.arange(len(rows))]
            self.fold_of_row_ = np.where(row_of < 0, -1, fold_of_distinct[row_of])
            self.out_of_fold_prediction_ = np.where(row_of < 0, np.nan, out_of_fold[row_of])
            self._residuals = target - self.out_of_fold_prediction_
        return self

    @overload
    def predict(self, X: ArrayLike, return_std: Literal[False] = False) -> Floats: ...  # noqa: N803  # scikit-learn's name
    @overload
    def predict(self, X: ArrayLike, return_std: Literal[True]) -> tuple[Floats, Floats]: ...  # noqa: N803  # scikit-learn's name

    def predict(self, X: ArrayLike, return_std: bool = False) -> Floats | tuple[Floats, Floats]:  # noqa: N803  # scikit-learn's name
        """Predict the mean of all networks, (n_rows,), and with `return_std` the standard deviation between them.

        The deviation shows where the networks disagree; it is no interval, see `predict_interval`.
        """
        networks = self._predict_networks(self._checked_rows(X))
        mean = ensemble_mean({"networks": networks}).mean(axis=0)
        return (mean, networks.std(axis=(0, 1))) if return_std else mean

    @available_if(_has_folds)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def predict_interval(self, X: ArrayLike, coverage: float = 0.9) -> tuple[Floats, Floats]:  # noqa: N803  # scikit-learn's name
        """Compute lower and upper ends of CV+ intervals, see `cross_validation.intervals`: each (n_rows,).

        Raises:
            SettingsError: the coverage is not between 0 and 1; it is a ValueError too.
        """
        by_fold = ensemble_mean({"networks": self._predict_networks(self._checked_rows(X))})
        known = self.fold_of_row_ >= 0
        ends = cv_plus_intervals(by_fold, self.fold_of_row_[known], self._residuals[known], [coverage])
        return ends[0, 0], ends[0, 1]

    def _train(
        self, inputs: Floats, targets: Floats, weights: Floats, training_sets: list[NDArray[np.int64]], base_seed: int
    ) -> None:
        """Train networks on each set of rows; the seeds are the same for each set."""
        self._checked("members", self.members, 1)
        seeds = [int(seed) for seed in np.random.SeedSequence(base_seed).generate_state(self.members, np.uint32)]
        pending = []
        with open_executor(effective_n_jobs(self.n_jobs), self.device) as executor:
            for rows in training_sets:
                scaling = _Scaling.fit(inputs[rows], targets[rows], weights[rows])
                goals = ((targets - scaling.target_mean) / scaling.target_std).astype(np.float32)
                row_weights = weights * (len(rows) / weights[rows].sum())
                loss_weights = None if (row_weights[rows] == 1).all() else row_weights.astype(np.float32)
                data = TrainingData(scaling.inputs(inputs), goals, rows, row_weights=loss_weights)
                hyperparameters = self._hyperparameters(len(rows))
                networks = [NetworkSpec(seed, hyperparameters) for seed in seeds]
                pending.append((scaling, submit_networks(executor, data, networks)))
            self._fitted = [(scaling, networks.result().network) for scaling, networks in pending]

    def _hyperparameters(self, n_rows: int) -> Hyperparameters:
        """Check the parameters and return them as the engine's."""
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device must be auto, cpu or cuda, got {self.device!r}")
        if isinstance(self.hidden, str) or not isinstance(self.hidden, Iterable):
            raise ValueError(f"hidden must be a sequence of whole numbers, got {self.hidden!r}")
        parameters = self.get_params()
        given = {field.name: parameters[field.name] for field in fields(Hyperparameters) if field.name in parameters}
        if self.batch_size == "auto":
            given["batch_size"] = min(max(n_rows // _STEPS_PER_EPOCH, _SMALLEST_BATCH), _LARGEST_BATCH)
        try:
            return Hyperparameters(**given | {"hidden": tuple(self.hidden)})
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{first['loc'][0]}: {first['msg']}, got {first['input']!r}") from None

    def _checked(self, name: str, value: Any, low: int) -> int:
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < low:
            also = "0 or " if name == "folds" else ""
            raise ValueError(f"{name} must be {also}a whole number of at least {low}, got {value!r}")
        return int(value)

    def _checked_rows(self, X: ArrayLike) -> Floats:  # noqa: N803  # scikit-learn's name
        check_is_fitted(self)
        return np.asarray(validate_data(self, X, dtype=np.float64, reset=False))

    def _predict_networks(self, inputs: Floats) -> Floats:
        """Predict by each network: (n_folds, n_networks, n_rows), one fold without cross-validation."""
        return np.stack([scaling.predict(network, inputs) for scaling, network in self._fitted])

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_fitted")


def _distinct_rows(inputs: Floats, targets: Floats, weights: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Sort the rows, leave out those of weight 0 and merge equal ones.

    Returns:
        (n_distinct, d_in + 2): inputs, target, summed weight; and the distinct row of each row, (n_rows,), -1 for none.
    """
    kept = np.flatnonzero(weights > 0)
    distinct, position = np.unique(np.column_stack([inputs, targets])[kept], axis=0, return_inverse=True)
    row_of = np.full(len(weights), -1)
    row_of[kept] = position
    return np.column_stack([distinct, np.bincount(position, weights[kept], minlength=len(distinct))]), row_of
