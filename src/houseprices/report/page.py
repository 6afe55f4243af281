"""Writes a run's page, figures and intervals into its folder."""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from houseprices.report.coverage import coverage_by_neighborhood, coverage_by_price
from houseprices.report.drawing import Drawing, dollars, percent
from houseprices.report.evidence import COVERAGES, RECIPE, Evidence, gather, intervals_table
from houseprices.report.figures import (
    ablation_figures,
    curve_figures,
    effect_figures,
    error_figures,
    importance_figures,
    interval_figures,
    score_figures,
)
from houseprices.report.waterfall import get_ready, value_text, waterfall
from houseprices.run_houses import read_run_houses
from houseprices.saved_run import read_run
from houseprices.schema import FEATURES
from houseprices.staging import replacing

PAGE, FIGURES, INTERVALS = "report.html", "figures", "intervals.csv"
_N_PAINTERS = min(4, os.cpu_count() or 1)


def write_report(folder: Path) -> Path:
    """Write report.html, figures/ and intervals.csv into the run folder, all or none; return the page's path.

    Raises:
        RunError: the folder is missing, incomplete, altered or of another version, or cannot be written.
        LedgerError: the ledger cannot be read.
    """
    run = read_run(folder)
    houses, test_houses = read_run_houses(run)
    # The waterfalls take longer than all other figures; the processes that draw them start while this one computes.
    with ProcessPoolExecutor(_N_PAINTERS, multiprocessing.get_context("spawn"), get_ready) as painters:
        for _ in range(_N_PAINTERS):
            painters.submit(get_ready)
        evidence = gather(run, houses, test_houses)
        page, drawings = render(evidence, painters.map)
    targets = (folder / PAGE, folder / FIGURES, folder / INTERVALS)
    with replacing(*targets) as (page_file, figures, intervals_file):
        page_file.write_text(page, "utf-8")
        figures.mkdir()
        for drawing in drawings:
            drawing.write(figures)
        intervals_table(evidence.run, evidence.test_intervals).to_csv(intervals_file, index=False, float_format="%.2f")
    return folder / PAGE


def render(evidence: Evidence, map_: Callable[..., Iterable[Drawing]] = map) -> tuple[str, list[Drawing]]:
    """The page's text, and its figures; the waterfalls are drawn by `map_`, an executor's say."""
    import jinja2

    bands = coverage_by_price(evidence.rows)
    neighborhoods = coverage_by_neighborhood(evidence.rows, evidence.houses["Neighborhood"])
    waterfalls = _waterfalls(evidence, map_)
    sections: dict[str, list[Drawing]] = {
        "score": list(score_figures(evidence)),
        "curves": list(curve_figures(evidence)),
        "ablation": list(ablation_figures(evidence.ablation, _chosen(evidence))) if evidence.ablation else [],
        "errors": list(error_figures(evidence)),
        "intervals": list(interval_figures(evidence, bands, neighborhoods)),
        "importance": list(importance_figures(evidence)),
        "effects": list(effect_figures(evidence)),
    }
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.PackageLoader("houseprices.report", "template"),
    )
    worst = list(_worst(evidence, waterfalls))
    environment.filters.update(dollars=dollars, percent=percent, share=lambda value: f"{100 * value:.1f}%")
    files = resources.files("houseprices.report") / "template"
    run = evidence.run
    page = environment.get_template("page.html").render(
        run=run,
        metrics=run.metrics,
        manifest=run.manifest,
        evidence=evidence,
        figures=sections,
        worst=worst,
        bands=bands.to_dict("records"),
        neighborhoods=neighborhoods.to_dict("records"),
        rows=_table(evidence),
        coverage={round(100 * c): evidence.rows[f"inside_{round(100 * c)}"].mean() for c in COVERAGES},
        importance=_importance(evidence),
        groups={name: asdict(group) for name, group in run.settings.groups.items()},
        config=(run.folder / "config.toml").read_text("utf-8"),
        manifest_text=json.dumps(run.manifest, indent=2),
        recipe_file=RECIPE,
        css=(files / "page.css").read_text("utf-8"),
        script=(files / "page.js").read_text("utf-8"),
        banner=evidence.is_sample,
    )
    return page, [drawing for drawings in sections.values() for drawing in drawings] + [one["figure"] for one in worst]


def _chosen(evidence: Evidence) -> tuple[float, float] | None:
    """Weight decay and dropout of the group that the grid was made for."""
    assert evidence.ablation is not None
    group = evidence.run.settings.groups.get(evidence.ablation.note["group"])
    return None if group is None else (group.weight_decay, group.dropout)


def _waterfalls(evidence: Evidence, map_: Callable[..., Iterable[Drawing]]) -> Iterable[Drawing]:
    explanation, worst = evidence.explanation, evidence.worst
    houses = [evidence.houses.iloc[place] for place in worst]
    return map_(
        waterfall, houses, explanation.attributions[worst], explanation.baseline[worst], explanation.prediction[worst]
    )


def _worst(evidence: Evidence, waterfalls: Iterable[Drawing]) -> Iterator[dict[str, Any]]:
    explanation = evidence.explanation
    for place, drawing in zip(evidence.worst, waterfalls, strict=True):
        house, row = evidence.houses.iloc[place], evidence.rows.iloc[place]
        yield {
            **row.to_dict(),
            "id": int(row["Id"]),
            "neighborhood": str(house["Neighborhood"]),
            "sale": str(house["SaleCondition"]),
            "baseline": float(np.exp(explanation.baseline[place])),
            "figure": drawing,
            "features": [
                {"name": feature.name, "value": value_text(value), "effect": float(effect)}
                for feature, value, effect in zip(FEATURES, house, explanation.attributions[place], strict=True)
            ],
        }


def _table(evidence: Evidence) -> list[dict[str, Any]]:
    """The rows of the sortable table of all out-of-fold predictions."""
    shown = ("Neighborhood", "YearBuilt", "OverallQual", "GrLivArea", "SaleCondition")
    houses = evidence.houses[list(shown)].reset_index(drop=True)
    table = pd.concat([evidence.rows, houses.astype({"Neighborhood": "str", "SaleCondition": "str"})], axis=1)
    return [dict(zip(table.columns, values, strict=True)) for values in table.itertuples(index=False, name=None)]


def _importance(evidence: Evidence) -> list[dict[str, Any]]:
    position = {feature.name: index for index, feature in enumerate(FEATURES)}
    return [
        {
            "name": str(name),
            "size": float(size),
            "spread": float(evidence.fold_importance[:, position[str(name)]].std()),
        }
        for name, size in evidence.importance.items()
    ]
