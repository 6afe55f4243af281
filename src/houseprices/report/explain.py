"""Why a run gave one house its price: the effect of each theme and feature, and a figure."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.errors import RunError
from houseprices.files import replacing
from houseprices.progress import Notify, Progress, silent
from houseprices.report.attributions import explain_new, explain_out_of_fold
from houseprices.report.themes import WORDS, by_size, effect_names, themes_of
from houseprices.report.waterfall import waterfall
from houseprices.report.words import effect_words
from houseprices.runs.format import EXPLANATIONS
from houseprices.runs.read import read_run


def explain_house(folder: Path, house_id: int, notify: Notify = silent, columns: Path | None = None) -> dict[str, Any]:
    """Explain a house of the run's test or training table, and write its waterfall into the run's explanations/.

    A training house is explained by the networks that never saw it.

    Args:
        folder: the run's.
        house_id: of the house.
        notify: hears what is done.
        columns: the file of the run's own columns, see `read_run`.

    Raises:
        ColumnsError: its own columns fail.
        RunError: the run cannot be read, has no such house, or its folder cannot be written.
    """
    notify(Progress("reading the run"))
    run = read_run(folder, columns)
    training, test = run.houses()
    notify(Progress(f"explaining house {house_id}"))
    if house_id in test.index:
        house = test.loc[[house_id]]
        found = explain_new(run, training, house)
    elif house_id in training.index:
        place = training.index.tolist().index(house_id)
        house = training.iloc[[place]]
        found = explain_out_of_fold(run, training, [place])
    else:
        raise RunError(
            f"{folder}: has no house with Id {house_id}; accepted: {training.index.min()} to {training.index.max()} "
            f"of train.csv, {test.index.min()} to {test.index.max()} of test.csv"
        )
    attributions: NDArray[np.float64] = found.attributions[0]
    baseline, prediction = float(found.baseline[0]), float(found.prediction[0])
    drawing = waterfall(house.iloc[0], attributions, baseline, prediction)
    files = folder / EXPLANATIONS / f"{drawing.name}.svg", folder / EXPLANATIONS / f"{drawing.name}.png"
    with replacing(*files) as (svg, png):
        svg.write_text(drawing.svg, "utf-8")
        png.write_bytes(drawing.png)
    return {
        "id": house_id,
        "out_of_fold": house_id not in test.index,
        "average_usd": float(np.exp(baseline)),
        "predicted_usd": float(np.exp(prediction)),
        "average_log_price": baseline,
        "predicted_log_price": prediction,
        "themes": [
            {
                "theme": theme,
                "log_price": float(attributions[places].sum()),
                "features": [_effect(house, attributions, place) for place in by_size(attributions, places)],
            }
            for theme, places in sorted(
                themes_of(len(attributions)).items(), key=lambda item: -abs(attributions[item[1]].sum())
            )
        ],
        "figure": str(files[0]),
    }


def _effect(house: pd.DataFrame, attributions: NDArray[np.float64], place: int) -> dict[str, Any]:
    name = effect_names(len(attributions))[place]
    return {
        "feature": name,
        "words": WORDS.get(name, name),
        "value": effect_words(name, house.iloc[0]),
        "log_price": float(attributions[place]),
    }
