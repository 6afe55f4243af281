"""The page of a run: its figures, its tables, and the template that holds them."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.charts import Drawing, page_colours
from houseprices.report.coverage import coverage_by_neighborhood, coverage_by_price
from houseprices.report.evidence import COVERAGES, Evidence
from houseprices.report.figures.ablation import ablation_figures
from houseprices.report.figures.attributions import effect_figures, importance_figures
from houseprices.report.figures.curves import curve_figures
from houseprices.report.figures.errors import error_figures
from houseprices.report.figures.intervals import interval_figures
from houseprices.report.figures.score import score_figures
from houseprices.report.money import dollars, percent
from houseprices.report.themes import WORDS, by_size, effect_names, themes_of
from houseprices.report.words import effect_words, level_words
from houseprices.runs.format import MANIFEST, RECIPE, SETTINGS, SUBMISSION


def render(evidence: Evidence, waterfalls: Iterable[Drawing]) -> tuple[str, list[Drawing]]:
    """The page's text, and its figures, with the waterfalls of the worst houses, which are awaited last."""
    import jinja2

    run = evidence.run
    bands = coverage_by_price(evidence.rows)
    neighborhoods = coverage_by_neighborhood(evidence.rows, evidence.houses["Neighborhood"])
    sections: dict[str, list[Drawing]] = {
        "score": list(score_figures(evidence)),
        "curves": list(curve_figures(evidence)),
        "ablation": list(ablation_figures(evidence.ablation, run.settings)) if evidence.ablation else [],
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
        models={name: asdict(group) for name, group in run.settings.models.items()},
        config=(run.folder / SETTINGS).read_text("utf-8"),
        manifest_text=(run.folder / MANIFEST).read_text("utf-8"),
        submission_sha256=run.manifest.outputs_sha256[SUBMISSION],
        recipe_file=RECIPE,
        colours=page_colours(),
        css=(files / "page.css").read_text("utf-8"),
        script=(files / "page.js").read_text("utf-8"),
        banner=evidence.is_sample,
        spread_over=["splits"] * (run.settings.folds.n_repeats > 1)
        + ["seeds"] * (max(one.n_members for one in run.settings.models.values()) > 1),
    )
    return page, [drawing for drawings in sections.values() for drawing in drawings] + [one["figure"] for one in worst]


def _worst(evidence: Evidence, waterfalls: Iterable[Drawing]) -> Iterator[dict[str, Any]]:
    explanation = evidence.explanation
    for place, drawing in zip(evidence.worst, waterfalls, strict=True):
        house, row = evidence.houses.iloc[place], evidence.rows.iloc[place]
        yield {
            **row.to_dict(),
            "id": int(row["Id"]),
            "neighborhood": level_words("Neighborhood", str(house["Neighborhood"])),
            "baseline": float(np.exp(explanation.baseline[place])),
            "figure": drawing,
            "themes": list(_themes(house, explanation.attributions[place])),
        }


def _themes(house: pd.Series, effects: NDArray[np.float64]) -> Iterator[dict[str, Any]]:
    """A house's themes and the features in them, the largest effects first."""
    names = effect_names(len(effects))
    for theme, places in sorted(themes_of(len(effects)).items(), key=lambda item: -abs(effects[item[1]].sum())):
        features = [
            {
                "name": names[place],
                "words": WORDS.get(names[place], names[place]),
                "value": effect_words(names[place], house),
                "effect": float(effects[place]),
            }
            for place in by_size(effects, places)
        ]
        yield {"name": theme, "effect": float(effects[places].sum()), "features": features}


def _table(evidence: Evidence) -> list[dict[str, Any]]:
    """The rows of the sortable table of all out-of-fold predictions."""
    shown = ("Neighborhood", "YearBuilt", "OverallQual", "GrLivArea", "SaleCondition")
    houses = evidence.houses[list(shown)].reset_index(drop=True)
    for name in ("Neighborhood", "SaleCondition"):
        houses[name] = [level_words(name, code) for code in houses[name].astype("str")]
    table = pd.concat([evidence.rows, houses], axis=1)
    return [dict(zip(table.columns, values, strict=True)) for values in table.itertuples(index=False, name=None)]


def _importance(evidence: Evidence) -> list[dict[str, Any]]:
    """Themes and the features in them, the largest first, each with its size and the spread of it over folds."""
    sizes, spread = evidence.importance, evidence.fold_importance.std(axis=0)
    names, themes = effect_names(len(sizes)), themes_of(len(sizes))
    of_theme = dict(zip(themes, evidence.fold_theme_importance.std(axis=0), strict=True))
    return [
        {
            "name": theme,
            "size": float(size),
            "spread": float(of_theme[str(theme)]),
            "features": [
                {
                    "name": name,
                    "words": WORDS.get(name, name),
                    "size": float(sizes[name]),
                    "spread": float(spread[place]),
                }
                for name, place in sorted(
                    ((names[place], place) for place in themes[str(theme)]), key=lambda one: -sizes[one[0]]
                )
            ],
        }
        for theme, size in evidence.theme_importance.items()
    ]
