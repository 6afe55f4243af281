"""One house's price, explained: the effect of each theme and of the features in it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.errors import RunError
from houseprices.progress import Notify, Progress, silent
from houseprices.report.attributions import explain_new, explain_out_of_fold
from houseprices.report.words import effect_names, meaning, theme_positions, value_words
from houseprices.runs.read import read_run


def explain_house(folder: Path, house_id: int, notify: Notify = silent, columns: Path | None = None) -> dict[str, Any]:
    """Explain a house of the run's test or training table; a training house by the networks that never saw it.

    Args:
        columns: the file of the run's custom features, see `read_run`.

    Raises:
        ColumnsError: its custom features fail.
        RunError: the run cannot be read, or has no such house.
    """
    notify(Progress("reading the run"))
    run = read_run(folder, columns)
    training, test = run.houses()
    notify(Progress(f"explaining house {house_id}"))
    if house_id in test.index:
        house = test.loc[[house_id]]
        explanation, predictions = explain_new(run, training, house), run.ensemble.predict_folds(house).mean
    elif house_id in training.index:
        house, rows = training.loc[[house_id]], np.flatnonzero(training.index == house_id)
        explanation, predictions = explain_out_of_fold(run, training, rows), run.ensemble.out_of_fold.prediction[rows]
    else:
        raise RunError(
            f"{folder}: has no house with Id {house_id}; accepted: {training.index.min()} to {training.index.max()} "
            f"of train.csv, {test.index.min()} to {test.index.max()} of test.csv"
        )
    baseline, prediction = float(explanation.baseline[0]), float(predictions[0])
    return {
        "id": house_id,
        "out_of_fold": house_id not in test.index,
        "average_usd": float(np.exp(baseline)),
        "predicted_usd": float(np.exp(prediction)),
        "average_log_price": baseline,
        "predicted_log_price": prediction,
        "themes": themes_of_house(house.iloc[0], explanation.attributions[0]),
    }


def themes_of_house(house: pd.Series, attributions: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Sum a house's attributions by theme; themes, and the features in each, by the size of the effect."""
    themes = []
    names = effect_names(len(attributions))
    for theme, positions in theme_positions(len(attributions)).items():
        by_size = sorted(positions, key=lambda position: -abs(attributions[position]))
        features = [
            {
                "feature": names[position],
                "words": meaning(names[position]),
                "value": value_words(names[position], house.get(names[position])),
                "log_price": float(attributions[position]),
            }
            for position in by_size
        ]
        themes.append({"theme": theme, "log_price": float(attributions[positions].sum()), "features": features})
    return sorted(themes, key=lambda theme: -abs(theme["log_price"]))
