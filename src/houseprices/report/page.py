"""The page of a run: its figures, its tables, and the template that holds them."""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from houseprices.files import replacing
from houseprices.progress import Notify, Progress, silent
from houseprices.report.evidence import Evidence, gather, interval_ends
from houseprices.report.explain import themes_of_house
from houseprices.report.figures.effects import effect_figures
from houseprices.report.figures.errors import error_figures, interval_figures
from houseprices.report.figures.scores import expected_score, heat_maps, learning_curves, score_by_fold
from houseprices.report.words import dollars, effect_names, level_words, meaning, percent, theme_positions
from houseprices.runs.format import INTERVALS, MANIFEST, REPORT, SETTINGS, SUBMISSION
from houseprices.runs.read import read_run

_SHOWN = ["Neighborhood", "YearBuilt", "OverallQual", "GrLivArea", "SaleCondition"]
"""Features in the table of all houses."""


def write_report(folder: Path, notify: Notify = silent, columns: Path | None = None) -> Path:
    """Write report.html and intervals.csv into the run folder, both or none; return the page's path.

    Args:
        columns: the file of the run's custom features, see `read_run`.

    Raises:
        RunError: the folder is missing, incomplete, altered or of another version, or cannot be written.
        ColumnsError: its custom features fail.
        LedgerError: the ledger cannot be read.
    """
    notify(Progress("reading the run"))
    run = read_run(folder, columns)
    folder = run.folder
    houses, test_houses = run.houses()
    notify(Progress("explaining the predictions"))
    evidence = gather(run, houses, test_houses)
    notify(Progress("drawing figures"))
    page = render(evidence)
    intervals = pd.concat([pd.read_csv(folder / SUBMISSION), interval_ends(evidence.test_intervals)], axis=1)
    with replacing(folder / REPORT, folder / INTERVALS) as (page_file, intervals_file):
        page_file.write_text(page, "utf-8")
        intervals.to_csv(intervals_file, index=False, float_format="%.2f")
    return folder / REPORT


def render(evidence: Evidence) -> str:
    """Draw the figures and fill in the template."""
    import jinja2

    run = evidence.run
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.PackageLoader("houseprices.report", "template"),
    )
    environment.filters.update(
        dollars=dollars,
        percent=percent,
        score="{:.4f}".format,
        signed=lambda value: f"{value:+.4f}".replace("-", "−"),
        share=lambda value: f"{100 * value:.1f}%",
        count="{:,.0f}".format,
        level=lambda level, name: level_words(name, str(level)),
    )
    files = resources.files("houseprices.report") / "template"
    return environment.get_template("page.html").render(
        name=run.folder.resolve().name,
        run=run,
        evidence=evidence,
        score_figures=[score_by_fold(evidence), expected_score(evidence)],
        curves=[(name, learning_curves(str(name), table)) for name, table in run.curves.groupby("model", sort=False)],
        heat_maps=list(heat_maps(evidence)),
        error_figures=list(error_figures(evidence)),
        interval_figures=list(interval_figures(evidence)),
        effect_figures=list(effect_figures(evidence)),
        worst=list(_worst(evidence)),
        rows=evidence.rows.join(evidence.houses[_SHOWN].reset_index(drop=True)).to_dict("records"),
        importance=_importance(evidence),
        config=(run.folder / SETTINGS).read_text("utf-8"),
        manifest_text=(run.folder / MANIFEST).read_text("utf-8"),
        css=(files / "page.css").read_text("utf-8"),
        script=(files / "page.js").read_text("utf-8"),
    )


def _worst(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """Explain the worst houses: each theme with a bar from the price before it to the price after it."""
    explanation = evidence.explanation
    for position in evidence.worst:
        house = evidence.houses.iloc[position]
        themes = themes_of_house(house, explanation.attributions[position])
        reached = explanation.baseline[position] + np.cumsum([0.0, *(theme["log_price"] for theme in themes)])
        # A share of the way from the lowest price to the highest, with a hundredth at least for every bar.
        ends = 99 * (reached - reached.min()) / (np.ptp(reached) or 1.0)
        for theme, price, start, end in zip(themes, reached[1:], ends, ends[1:], strict=False):
            theme["left"], theme["width"] = min(start, end), abs(end - start) + 1
            theme["reached_usd"] = float(np.exp(price))
        yield {
            **evidence.rows.iloc[position].to_dict(),
            "id": int(evidence.rows["Id"].iloc[position]),
            "Neighborhood": house["Neighborhood"],
            "baseline_usd": float(np.exp(explanation.baseline[position])),
            "themes": themes,
        }


def _importance(evidence: Evidence) -> list[dict[str, Any]]:
    """Themes and the features in them, the most important first."""
    names = effect_names(len(evidence.importance))
    features = [{"name": name, "words": meaning(str(name)), **values} for name, values in evidence.importance.T.items()]
    table = []
    for theme, values in evidence.theme_importance.T.items():
        inside = {names[position] for position in theme_positions(len(names))[str(theme)]}
        table.append({"name": theme, **values, "features": [row for row in features if row["name"] in inside]})
    return table
