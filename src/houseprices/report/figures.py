"""The figures of the page, each from the evidence alone."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from houseprices.charts import (
    BLUE,
    GREEN,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    Drawing,
    dollar_ticks,
    draw,
)
from houseprices.data.schema import BY_NAME, FEATURES
from houseprices.report.evidence import Evidence
from houseprices.studies.ablation import Ablation, grid_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

N_EFFECTS = 9
_N_IMPORTANT = 20
_UNITS = {"sqft": "square feet", "feet": "feet", "usd": "dollars", "rating": "rating, 1 to 10", "year": "year"}
_DOT: dict[str, Any] = {"marker": "o", "linestyle": "none", "markersize": 2.6, "markeredgewidth": 0, "alpha": 0.45}


def score_figures(evidence: Evidence) -> Iterator[Drawing]:
    """Score by fold beside the baselines, and what to expect of the leaderboard."""
    metrics = evidence.run.metrics
    folds = metrics.by_fold
    scores = [fold.log_rmse for fold in folds]
    train = [fold.train for fold in folds]

    def by_fold(axes: "Axes") -> None:
        places = np.arange(len(folds))
        axes.vlines(places, train, scores, color=GRID, linewidth=3)
        axes.plot(places, scores, "o", color=BLUE, markersize=7, label="held out")
        axes.plot(places, train, "D", color=ORANGE, markersize=5.5, label="in training")
        axes.axhline(metrics.log_rmse.pooled, color=BLUE, linewidth=1.2, linestyle="--", label="held out, pooled")
        several = folds[-1].repeat > 0
        names = [f"split {one.repeat + 1}" if several else str(one.fold + 1) for one in folds]
        step = evidence.run.settings.folds.n_folds if several else -(-len(folds) // 15)
        axes.set_xticks(places[::step], names[::step])
        axes.set(xlabel="" if several else "fold", ylabel="log-RMSE", ylim=(0, None))
        axes.grid(axis="x", visible=False)
        axes.legend(loc="lower right", ncols=1)

    yield draw(
        "score_by_fold",
        "Score by fold",
        f"Held-out log-RMSE of {len(folds)} folds lies between {min(scores):.3f} and {max(scores):.3f}, "
        f"in training between {min(train):.3f} and {max(train):.3f}.",
        by_fold,
    )

    low, middle, high = evidence.expected_score
    public = [entry.public_score for entry in evidence.entries if entry.public_score is not None]
    values = {"ours": metrics.log_rmse.pooled, **{k: v for k, v in metrics.baselines.items() if k != "median"}}

    def expected(axes: "Axes") -> None:
        lines = [*values, "leaderboard, expected"]
        places = dict(zip(lines, range(len(lines)), strict=True))
        for name, value in values.items():
            colour = BLUE if name == "ours" else MUTED
            axes.plot(value, places[name], "o", color=colour, markersize=8)
            axes.annotate(f"{value:.4f}", (value, places[name]), xytext=(0, 9), textcoords="offset points", ha="center")
        last = places["leaderboard, expected"]
        axes.plot([low, high], [last, last], color=BLUE, linewidth=5, alpha=0.35, solid_capstyle="butt")
        axes.plot(middle, last, "|", color=BLUE, markersize=16, markeredgewidth=2.5)
        axes.annotate(
            f"{low:.3f} to {high:.3f}", (middle, last), xytext=(0, 12), textcoords="offset points", ha="center"
        )
        for score in public:
            axes.plot(score, last, "D", color=ORANGE, markersize=7)
        axes.set_yticks(range(len(lines)), ["this run, held out", "ridge, held out", "leaderboard"][: len(lines)])
        axes.set(xlabel="log-RMSE (lower is better)", ylim=(len(lines) - 0.5, -0.7))
        axes.margins(x=0.15)
        axes.grid(axis="y", visible=False)

    yield draw(
        "expected_score",
        "What to expect of the leaderboard",
        f"Held out {values['ours']:.4f}; nine in ten leaderboards of this size would show {low:.3f} to {high:.3f}.",
        expected,
    )


def curve_figures(evidence: Evidence) -> Iterator[Drawing]:
    """For each group: errors by epoch, a thin line a fold, and the weight norm."""
    for index, (group, curves) in enumerate(evidence.run.curves.groupby("group", sort=False)):
        by_fold = [table for _, table in curves.groupby(["repeat", "fold"])]
        mean = curves.groupby("epoch").mean(numeric_only=True)
        stem = f"curves_{index + 1}"

        def errors(axes: "Axes", by_fold: Any = by_fold, mean: Any = mean) -> None:
            for name, colour in (("validation_log_rmse", BLUE), ("training_log_rmse", ORANGE)):
                for table in by_fold:
                    axes.plot(table["epoch"], table[name], color=colour, linewidth=0.7, alpha=0.35)
            axes.plot(mean.index, mean["validation_log_rmse"], color=BLUE, linewidth=2.2, label="validation")
            axes.plot(mean.index, mean["training_log_rmse"], color=ORANGE, linewidth=2.2, ls="--", label="training")
            axes.set_yscale("log")
            _plain_log_ticks(axes)
            axes.set(xlabel="epoch", ylabel="log-RMSE of a network (log scale)")
            axes.legend(loc="upper right")

        last = mean.iloc[-1]
        yield draw(
            f"{stem}_errors",
            f"{group}: errors by epoch",
            f"Group {group}: after {len(mean)} epochs validation log-RMSE is {last['validation_log_rmse']:.3f}, "
            f"training {last['training_log_rmse']:.3f}.",
            errors,
        )

        def norm(axes: "Axes", by_fold: Any = by_fold, mean: Any = mean) -> None:
            for table in by_fold:
                axes.plot(table["epoch"], table["weight_norm"], color=GREEN, linewidth=0.7, alpha=0.35)
            axes.plot(mean.index, mean["weight_norm"], color=GREEN, linewidth=2.2)
            axes.set(xlabel="epoch", ylabel="weight norm of a network")

        yield draw(
            f"{stem}_norm",
            f"{group}: weight norm by epoch",
            f"Group {group}: the weight norm goes from {mean['weight_norm'].iloc[0]:.1f} to {last['weight_norm']:.1f}.",
            norm,
        )


def ablation_figures(ablation: Ablation, chosen: tuple[float, float] | None = None) -> Iterator[Drawing]:
    """Heat maps over weight decay x dropout; `chosen` is the run's own (weight decay, dropout)."""
    grid = grid_of(ablation.table)
    best = grid.iloc[int(grid["validation_log_rmse"].argmin())]
    panels = (
        ("validation_log_rmse", "Validation log-RMSE", "cividis_r", "{:.4f}"),
        ("gap", "Gap: validation − training", "cividis_r", "{:.3f}"),
        ("weight_norm", "Weight norm", "cividis_r", "{:.1f}"),
    )
    for column, title, colours, form in panels:
        table = grid.pivot(index="dropout", columns="weight_decay", values=column)

        def heat(axes: "Axes", table: Any = table, colours: str = colours, form: str = form) -> None:
            values = table.to_numpy()
            # A cell far off must not wash out the differences among the others.
            mesh = axes.pcolormesh(values, cmap=colours, vmin=values.min(), vmax=np.quantile(values, 0.75))
            for (row, place), value in np.ndenumerate(values):
                red, green, blue, _ = mesh.cmap(mesh.norm(value))
                ink = "#ffffff" if 0.3 * red + 0.59 * green + 0.11 * blue < 0.5 else "#000000"
                axes.text(
                    place + 0.5, row + 0.5, form.format(value + 0.0), ha="center", va="center", color=ink, fontsize=7.5
                )
            row, place = list(table.index).index(best["dropout"]), list(table.columns).index(best["weight_decay"])
            from matplotlib.patches import Rectangle

            axes.add_patch(Rectangle((place, row), 1, 1, fill=False, edgecolor=ORANGE, linewidth=3, clip_on=False))
            if chosen is not None:
                x = np.interp(chosen[0], table.columns, np.arange(table.shape[1]) + 0.5)
                y = np.interp(chosen[1], table.index, np.arange(len(table)) + 0.5)
                axes.plot(x, y + 0.34, marker="v", color=ORANGE, markersize=7, markeredgecolor="#ffffff", clip_on=False)
            axes.set_xticks(np.arange(table.shape[1]) + 0.5, [f"{x:g}" for x in table.columns])
            axes.set_yticks(np.arange(len(table)) + 0.5, [f"{x:g}" for x in table.index])
            axes.set(xlabel="weight decay", ylabel="dropout rate")
            axes.grid(visible=False)
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)

        values = table.to_numpy()
        yield draw(
            f"ablation_{column}",
            title,
            f"{title} over weight decay and dropout, from {form.format(values.min())} to {form.format(values.max())}; "
            f"validation error is lowest at weight decay {best['weight_decay']:g} and dropout {best['dropout']:g}.",
            heat,
        )


def error_figures(evidence: Evidence) -> Iterator[Drawing]:
    """Predicted against actual, and residuals by what may explain them."""
    rows, houses = evidence.rows, evidence.houses
    worst = np.zeros(len(rows), dtype=bool)
    worst[evidence.worst] = True

    def against(axes: "Axes") -> None:
        low = 0.9 * min(rows["price_usd"].min(), rows["predicted_usd"].min())
        high = 1.1 * max(rows["price_usd"].max(), rows["predicted_usd"].max())
        axes.plot([low, high], [low, high], color=MUTED, linewidth=1)
        axes.plot(rows["price_usd"][~worst], rows["predicted_usd"][~worst], color=BLUE, **_DOT)
        axes.plot(rows["price_usd"][worst], rows["predicted_usd"][worst], "D", color=ORANGE, markersize=4.5,
                  label=f"the {worst.sum()} worst")  # fmt: skip
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
        dollar_ticks(axes.xaxis, low, high)
        dollar_ticks(axes.yaxis, low, high)
        axes.set(xlabel="actual price (log scale)", ylabel="predicted out of fold")
        axes.legend(loc="upper left", handletextpad=0.1)

    yield draw(
        "predicted_against_actual",
        "Predicted against actual",
        f"Out-of-fold prediction against the price of {len(rows)} houses; half are within "
        f"{100 * np.expm1(rows['residual'].abs().median()):.1f}%.",
        against,
    )

    def by_price(axes: "Axes") -> None:
        axes.plot(rows["predicted_usd"], rows["residual"], color=BLUE, **_DOT)
        _binned(axes, rows["predicted_usd"].to_numpy(), rows["residual"].to_numpy())
        axes.set_xscale("log")
        dollar_ticks(axes.xaxis, rows["predicted_usd"].min(), rows["predicted_usd"].max())
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.set(xlabel="predicted price (log scale)", ylabel="log price − predicted")

    yield draw(
        "residuals_by_price",
        "Residuals by predicted price",
        "Residuals of the log price against the predicted price, with the median of each eighth of the houses.",
        by_price,
    )

    def by_year(axes: "Axes") -> None:
        axes.plot(houses["YearBuilt"], rows["residual"], color=BLUE, **_DOT)
        _binned(axes, houses["YearBuilt"].to_numpy(), rows["residual"].to_numpy())
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.set(xlabel="year built", ylabel="log price − predicted")

    yield draw(
        "residuals_by_year",
        "Residuals by year built",
        "Residuals of the log price against the year of construction, with the median of each eighth of the houses.",
        by_year,
    )
    for name, title in (("OverallQual", "overall quality"), ("SaleCondition", "sale condition")):
        yield _residual_boxes(f"residuals_by_{title.split()[-1]}", name, title, houses[name], rows["residual"])
    yield _residual_boxes(
        "residuals_by_neighborhood", "Neighborhood", "neighbourhood", houses["Neighborhood"], rows["residual"]
    )


def _residual_boxes(stem: str, name: str, title: str, levels: pd.Series, residual: pd.Series) -> Drawing:
    """Median, middle half and middle nine tenths of the residuals of each level."""
    text = levels.map(lambda value: f"{value:g}" if isinstance(value, float) else str(value)).to_numpy()
    ordered = levels.cat.categories.astype("str") if levels.dtype == "category" else sorted(set(text), key=float)
    by_level = {level: residual.to_numpy()[text == level] for level in ordered}
    by_level = {level: values for level, values in by_level.items() if len(values)}
    if name not in ("OverallQual",):
        by_level = dict(sorted(by_level.items(), key=lambda item: float(np.median(item[1]))))

    def boxes(axes: "Axes") -> None:
        for place, values in enumerate(by_level.values()):
            low, left, middle, right, high = np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95))
            axes.plot([low, high], [place, place], color=BLUE, linewidth=1.2, solid_capstyle="butt")
            axes.plot([left, right], [place, place], color=BLUE, linewidth=6, alpha=0.45, solid_capstyle="butt")
            axes.plot(middle, place, "o", color=BLUE, markersize=5)
        axes.axvline(0, color=MUTED, linewidth=1)
        names = [f"{level}  ({len(values)})" for level, values in by_level.items()]
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="log price − predicted", ylim=(-0.7, len(names) - 0.3))
        axes.grid(axis="y", visible=False)

    low, *_, high = [*by_level, *by_level]
    if name == "OverallQual":
        told = f"Residuals by {title}, from {low} to {high}"
    else:
        told = f"Median residual by {title}, lowest in {low} and highest in {high}"
    return draw(stem, f"Residuals by {title}", f"{told}.", boxes, height=_height_of(len(by_level)))


def interval_figures(evidence: Evidence, bands: pd.DataFrame, neighborhoods: pd.DataFrame) -> Iterator[Drawing]:
    """Measured coverage by price band and neighbourhood, and the widths of the submission's intervals."""

    def by_band(axes: "Axes") -> None:
        places = np.arange(len(bands))
        marks = zip((50, 80, 90), (GREEN, PURPLE, BLUE), ("s", "D", "o"), strict=True)
        for coverage, colour, marker in marks:
            axes.axhline(coverage, color=colour, linewidth=1, linestyle="--")
            axes.plot(places, 100 * bands[f"inside_{coverage}"], marker, color=colour, markersize=7,
                      label=f"{coverage}% interval")  # fmt: skip
        axes.set_xticks(places, bands["band"])
        axes.set(xlabel="quarter of the houses by actual price", ylabel="houses inside, %", ylim=(30, 115))
        axes.set_yticks(range(30, 101, 10))
        axes.margins(x=0.14)
        axes.grid(axis="x", visible=False)
        axes.legend(loc="upper center", ncols=3, handletextpad=0, columnspacing=0.8)

    ninety = 100 * bands["inside_90"]
    yield draw(
        "coverage_by_price",
        "Measured coverage by price",
        f"The 90% intervals hold {ninety.min():.1f} to {ninety.max():.1f}% of the houses of each quarter by price.",
        by_band,
    )

    def by_neighborhood(axes: "Axes") -> None:
        places = np.arange(len(neighborhoods))
        share, error = 100 * neighborhoods["inside_90"], 100 * neighborhoods["error"]
        axes.axvline(90, color=BLUE, linewidth=1, linestyle="--")
        axes.hlines(places, share - error, np.minimum(share + error, 100), color=BLUE, linewidth=1.2)
        axes.plot(share, places, "o", color=BLUE, markersize=5)
        axes.set_yticks(places, [f"{row.Neighborhood}  ({row.n_rows})" for row in neighborhoods.itertuples()])
        axes.set(xlabel="houses inside, % (± standard error)", ylim=(-0.7, len(places) - 0.3))
        axes.grid(axis="y", visible=False)

    yield draw(
        "coverage_by_neighborhood",
        "Measured coverage of the 90% intervals by neighbourhood",
        f"From {100 * neighborhoods['inside_90'].min():.0f}% in {neighborhoods['Neighborhood'].iloc[0]} to "
        f"{100 * neighborhoods['inside_90'].max():.0f}%.",
        by_neighborhood,
        height=_height_of(len(neighborhoods)),
    )

    width = evidence.test_intervals[-1]
    spans = 100 * np.expm1((width[1] - width[0]) / 2)
    spans = spans[np.isfinite(spans)]

    def widths(axes: "Axes") -> None:
        axes.hist(spans, bins=30, color=BLUE, alpha=0.75)
        if len(spans):
            axes.axvline(float(np.median(spans)), color=ORANGE, linewidth=2, label=f"median ±{np.median(spans):.0f}%")
            axes.legend(loc="upper right")
        axes.set(xlabel="half width of the 90% interval, % of the price", ylabel="houses of the submission")
        axes.grid(axis="x", visible=False)

    told = f"Half of the 90% intervals are narrower than ±{np.median(spans):.0f}%." if len(spans) else "None is finite."
    yield draw("interval_widths", "Width of the submission's intervals", told, widths)


def importance_figures(evidence: Evidence) -> Iterator[Drawing]:
    """Overall importance with its spread over folds."""
    important = evidence.importance.head(_N_IMPORTANT)
    position = {feature.name: index for index, feature in enumerate(FEATURES)}
    of_folds = evidence.fold_importance[:, [position[str(name)] for name in important.index]]

    def bars(axes: "Axes") -> None:
        places = np.arange(len(important))[::-1]
        axes.barh(places, 100 * important, color=BLUE, alpha=0.7, height=0.66)
        axes.hlines(places, 100 * of_folds.min(axis=0), 100 * of_folds.max(axis=0), color=INK, linewidth=1.5)
        axes.set_yticks(places, important.index)
        axes.set(xlabel="mean size of the effect, % of the price")
        axes.set_ylim(-0.7, len(important) - 0.3)
        axes.grid(axis="y", visible=False)

    top = ", ".join(str(name) for name in important.index[:3])
    yield draw(
        "importance",
        "What moves the prices (line: lowest to highest fold)",
        f"Most important are {top}.",
        bars,
        height=5.9,
    )


def effect_figures(evidence: Evidence) -> Iterator[Drawing]:
    """Attribution against value for the main features."""
    for name in evidence.importance.index[:N_EFFECTS]:
        yield _effect(evidence, str(name))


def _effect(evidence: Evidence, name: str) -> Drawing:
    feature = BY_NAME[name]
    effect = 100 * np.expm1(evidence.explanation.attributions[:, list(BY_NAME).index(name)])
    values = evidence.houses[name]

    def numbers(axes: "Axes") -> None:
        known = values.notna().to_numpy()
        x, y = values.to_numpy(dtype=np.float64)[known], effect[known]
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.plot(x, y, color=BLUE, **_DOT)
        _binned(axes, x, y)
        axes.set(xlabel=_UNITS.get(feature.unit, feature.unit), ylabel="effect on the price, %")
        axes.locator_params(axis="x", nbins=6, integer=True)
        if feature.unit in ("sqft", "feet", "usd"):
            if x.min() > 0 and x.max() > 10 * np.median(x):
                axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _place: f"{value:,.0f}")
        axes.set_ylim(*_most_of(y))

    def levels(axes: "Axes") -> None:
        text = values.astype("str").to_numpy()
        by_level = {str(level): effect[text == str(level)] for level in values.cat.categories}
        by_level = {level: of_level for level, of_level in by_level.items() if len(of_level)}
        if feature.kind == "nominal":
            by_level = dict(sorted(by_level.items(), key=lambda item: float(np.median(item[1]))))
        for place, of_level in enumerate(by_level.values()):
            low, left, middle, right, high = np.quantile(of_level, (0.05, 0.25, 0.5, 0.75, 0.95))
            axes.plot([low, high], [place, place], color=BLUE, linewidth=1.2, solid_capstyle="butt")
            axes.plot([left, right], [place, place], color=BLUE, linewidth=5, alpha=0.45, solid_capstyle="butt")
            axes.plot(middle, place, "o", color=BLUE, markersize=4)
        axes.axvline(0, color=MUTED, linewidth=1)
        axes.set_yticks(range(len(by_level)), list(by_level))
        axes.set(xlabel="effect on the price, %", ylim=(-0.7, len(by_level) - 0.3))
        axes.grid(axis="y", visible=False)

    low, high = np.quantile(effect, (0.05, 0.95))
    told = f"Effect of {name} on the price, between {low:+.0f}% and {high:+.0f}%"
    return draw(
        f"effect_{name}",
        f"{name}",
        f"{told} for nine houses in ten.",
        numbers if feature.kind == "number" else levels,
        height=_height_of(0 if feature.kind == "number" else values.nunique()),
    )


def _height_of(n_lines: int) -> float:
    """Inches for so many lines, one above the other."""
    return max(3.5, 0.24 * n_lines + 0.8)


def _binned(axes: "Axes", x: Floats, y: Floats, n_bins: int = 8) -> None:
    """The median of y in each n-th part of the houses by x; at each x, if there are only a few."""
    values, n_rows = np.unique(x, return_counts=True)
    if len(values) <= 2 * n_bins:
        values = values[n_rows >= 3]
        axes.plot(values, [np.median(y[x == value]) for value in values], color=ORANGE, linewidth=2.2, marker="o",
                  markersize=4)  # fmt: skip
        return
    edges = np.unique(np.quantile(x, np.linspace(0, 1, n_bins + 1)))
    if len(edges) < 3:
        return
    part = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)
    parts = [part == index for index in range(len(edges) - 1) if (part == index).any()]
    axes.plot([np.median(x[one]) for one in parts], [np.median(y[one]) for one in parts], color=ORANGE, linewidth=2.2,
              marker="o", markersize=4)  # fmt: skip


def _most_of(values: Floats) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def _plain_log_ticks(axes: "Axes") -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
    axes.yaxis.set_major_formatter(lambda value, _place: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_locator(LogLocator(subs=()))
