"""The page is whole, stands alone, escapes what it is given and works in a browser."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import N_ROWS, N_TEST_ROWS, FinishedRun

from houseprices.charts import Drawing
from houseprices.cli import main
from houseprices.data.schema import BY_NAME
from houseprices.report import evidence as gathering
from houseprices.report.attributions import Explanation
from houseprices.report.evidence import Evidence, expected_score, gather
from houseprices.report.figures import attributions as attribution_figures
from houseprices.report.figures.score import score_figures
from houseprices.report.page import render
from houseprices.report.themes import THEMES, WORDS
from houseprices.report.waterfall import waterfalls
from houseprices.runs.read import read_run
from houseprices.selection import ablation

SECTIONS = ("score", "curves", "ablation", "errors", "worst", "all", "intervals", "why", "ensemble")


def command(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as error:
        main(list(arguments))
    return error.value.code


@pytest.fixture(scope="module", autouse=True)
def _fewer_figures() -> Iterator[None]:
    """Drawing takes nearly all of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathering, "N_WORST", 6)
        patch.setattr(attribution_figures, "N_EFFECTS", 2)
        yield


@pytest.fixture(scope="module")
def reported(finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished run with an ablation of two cells and its report."""
    folder = tmp_path_factory.mktemp("reported") / "run"
    shutil.copytree(finished_run.folder, folder)
    (folder / "recipe.csv").write_text("left out,log-RMSE\n<b>noise</b>,0.5\n", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder.parent)
        for name, value in {"WEIGHT_DECAYS": (0.0, 5.0), "DROPOUTS": (0.0, 0.5), "N_SEEDS": 2, "EPOCHS": 1}.items():
            patch.setattr(ablation, name, value)
        assert command("ablate", "--run", str(folder)) == 0
        assert command("report", "--run", str(folder)) == 0
    return folder


@pytest.fixture(scope="module")
def page(reported: Path) -> str:
    return (reported / "report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def evidence(reported: Path) -> Evidence:
    run = read_run(reported)
    return gather(run, *run.houses())


def rendered(evidence: Evidence) -> tuple[str, list[Drawing]]:
    """The page of the evidence, its waterfalls drawn here."""
    every, worst = evidence.explanation, evidence.worst
    of_worst = Explanation(every.attributions[worst], every.baseline[worst], every.prediction[worst])
    return render(evidence, waterfalls(evidence.houses.iloc[worst], of_worst))


def test_the_page_has_every_section_and_no_address_outside_itself(page: str, reported: Path) -> None:
    for section in SECTIONS:
        assert f'<section id="{section}"' in page
    assert not re.search(r"<(?:script|img|iframe|link)[^>]+(?:src|href)=\"(?!data:,)", page)
    assert set(re.findall(r"(?:href|src)=\"([^#\"][^\"]*)", page)) == {"data:,"}
    assert "url(http" not in page
    assert "@import" not in page
    assert len(page.encode()) < 3_000_000
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    score = json.loads((reported / "metrics.json").read_text("utf-8"))["log_rmse"]["pooled"]
    assert f"<dd>{score:.4f}</dd>" in page
    assert "Synthetic data" not in page


def test_every_figure_has_an_alternative_text_and_two_files(page: str, reported: Path) -> None:
    n_figures = page.count("<figure")
    assert len(re.findall(r'<svg [^>]*role="img" aria-label="[^"]{20,}"', page)) == n_figures
    svg = {file.stem for file in (reported / "figures").glob("*.svg")}
    assert svg == {file.stem for file in (reported / "figures").glob("*.png")}
    assert len(svg) == n_figures
    assert {"predicted_against_actual", "ablation_gap", "curves_1_norm", "importance"} <= svg


def test_the_submissions_intervals_hold_its_prices(reported: Path) -> None:
    table = pd.read_csv(reported / "intervals.csv")
    submission = pd.read_csv(reported / "submission.csv")
    assert table[["Id", "SalePrice"]].equals(submission)
    assert len(table) == N_TEST_ROWS
    for coverage in (50, 80, 90):
        # CV+ intervals hold the mean prediction; both are rounded to the cent.
        assert (table[f"lower_{coverage}"] <= table["SalePrice"] + 0.02).all()
        assert (table[f"upper_{coverage}"] >= table["SalePrice"] - 0.02).all()


def test_the_report_leaves_the_run_as_it_was_and_is_made_again_alike(
    reported: Path, page: str, finished_run: FinishedRun
) -> None:
    for file in finished_run.folder.iterdir():
        assert (reported / file.name).read_bytes() == file.read_bytes()
    figure = (reported / "figures" / "importance.svg").read_bytes()
    assert command("report", "--run", str(reported)) == 0
    assert (reported / "report.html").read_text("utf-8") == page
    assert (reported / "figures" / "importance.svg").read_bytes() == figure
    assert not list(reported.glob(".*"))


def test_values_stay_text(evidence: Evidence) -> None:
    evil = "<script>alert(1)</script>"
    houses = evidence.houses.copy()
    houses["Neighborhood"] = houses["Neighborhood"].cat.rename_categories({houses["Neighborhood"].iloc[0]: evil})
    assert evil in set(houses["Neighborhood"])
    page, drawings = rendered(replace(evidence, houses=houses))
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<b>noise</b>" not in page
    assert "&lt;b&gt;noise&lt;/b&gt;" in page
    assert all("<script" not in drawing.svg for drawing in drawings)


def test_every_section_of_the_samples_page_says_that_it_is_synthetic_and_none_speaks_of_a_leaderboard(
    evidence: Evidence,
) -> None:
    sample = replace(evidence.run, metrics=replace(evidence.run.metrics, data="sample"))
    page, drawings = rendered(replace(evidence, run=sample))
    parts = page.split("<section ")[1:]
    assert len(parts) == len(SECTIONS)
    assert all("Synthetic data" in part for part in parts)
    assert "leaderboard" not in page.lower()
    assert "submissions, from the ledger" not in page.lower()
    assert all("leaderboard" not in drawing.svg for drawing in drawings)


def test_a_page_of_other_houses_does(page: str) -> None:
    assert "What to expect of the leaderboard" in page
    assert "Submissions, from the ledger" in page


def test_a_waterfall_tells_themes_first_and_leaves_no_remainder(page: str, evidence: Evidence) -> None:
    house = int(evidence.rows["Id"].iloc[evidence.worst[0]])
    article = page.split(f'<article id="house-{house}"')[1].split("</article>")[0]
    drawing, table = article.split("<details>")
    assert re.findall(r'<th scope="rowgroup" colspan="2">([^<]+)', table) == sorted(
        THEMES, key=lambda theme: -abs(theme_effect(evidence, theme))
    )
    assert all(f">{theme}</text>" in drawing for theme in THEMES)
    assert "other features" not in drawing
    assert all(words in table for words in WORDS.values())


def theme_effect(evidence: Evidence, theme: str) -> float:
    """Of the worst house, summed by the features' names."""
    names = list(BY_NAME)
    effects = evidence.explanation.attributions[evidence.worst[0]]
    return sum(float(effects[names.index(name)]) for name in THEMES[theme])


@pytest.mark.parametrize("n_folds", [3, 50])
def test_no_folds_dot_is_cut_off_or_under_the_legend(evidence: Evidence, n_folds: int) -> None:
    fold = evidence.run.metrics.by_fold[0]
    folds = [replace(fold, fold=place, log_rmse=0.1 + 0.1 * (place in (0, n_folds - 1))) for place in range(n_folds)]
    run = replace(evidence.run, metrics=replace(evidence.run.metrics, by_fold=folds))
    drawing = next(score_figures(replace(evidence, run=run)))
    clip = re.search(r'<clipPath id="[^"]*">\s*<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"', drawing.svg)
    assert clip is not None
    left, top, width = map(float, clip.groups())
    dots = re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"[^>]*fill: #0072b2', drawing.svg)
    dots += [
        place
        for group in re.findall(r'<g style="fill: #0072b2[^"]*">(.*?)</g>', drawing.svg, flags=re.DOTALL)
        for place in re.findall(r'x="([\d.]+)" y="([\d.]+)"', group)
    ]
    assert len(dots) >= n_folds
    inside = [(x, y) for x, y in ((float(x), float(y)) for x, y in dots) if x >= left and y >= top]
    assert min(y for _, y in inside) - top > 3.5, "a dot's radius in points"
    assert min(x for x, _ in inside) - left > 3.5
    assert left + width - max(x for x, _ in inside) > 3.5
    legend = [float(y) for y in re.findall(r'y="([\d.]+)"[^>]*>(?:held out|all rows|in training)<', drawing.svg)]
    assert len(legend) == 3
    assert sum(y - 3.5 > max(legend) for _, y in inside) == n_folds, "the legend stands above every dot"


def test_the_expected_score_lies_around_the_cross_validated_one() -> None:
    residuals = np.random.default_rng(1).normal(scale=0.1, size=1000)
    low, middle, high = expected_score(residuals, 1000)
    assert low < middle < high
    assert middle == pytest.approx(np.sqrt((residuals**2).mean()), abs=0.001)
    # Of normal errors, the RMSE of n has a standard error of about scale / sqrt(2 n); here it counts twice.
    assert (high - low) / 2 == pytest.approx(1.645 * np.sqrt(2) * 0.1 / np.sqrt(2000), rel=0.1)


def test_the_grid_has_every_cell_seed_and_fold(reported: Path) -> None:
    made = ablation.read_ablation(reported / "ablation")
    keys = made.table[["weight_decay", "dropout", "seed", "fold"]].drop_duplicates()
    assert len(made.table) == len(keys) == made.note.n_networks == 2 * 2 * 2 * 3
    # Weight decay shrinks the weights, whatever the seed and fold.
    norms = made.table.pivot_table(index=["dropout", "seed", "fold"], columns="weight_decay", values="weight_norm")
    assert (norms[5.0] < norms[0.0]).all()
    assert sorted(file.name for file in (reported / "ablation" / "figures").glob("*.png"))[0] == "ablation_gap.png"


@pytest.mark.parametrize(
    ("name", "spoil", "told"),
    [
        ("oof.csv", lambda text: text.replace("fold", "fool"), "altered"),
        ("train.csv", lambda text: text + "\n", "train.csv: was altered"),
        (
            "manifest.json",
            lambda text: re.sub('"format_version": [0-9]+', '"format_version": 9', text),
            "format_version is 9",
        ),
    ],
)
def test_a_run_that_was_touched_is_refused_in_one_line(
    finished_run: FinishedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, spoil: Any, told: str
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_run.folder, folder)
    (folder / name).write_text(spoil((folder / name).read_text("utf-8")), "utf-8")
    assert command("report", "--run", str(folder)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert not (folder / "report.html").exists()


def test_a_run_without_its_houses_is_refused(
    finished_run: FinishedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished_run.folder, folder)
    (folder / "test.csv").unlink()
    assert command("report", "--run", str(folder)) == 1
    assert "test.csv: no such file" in capsys.readouterr().err


def test_processes_that_draw_end_with_a_report_that_is_killed(finished_run: FinishedRun) -> None:
    command = [sys.executable, "-m", "houseprices", "report", "--run", str(finished_run.folder)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as report:
        children: list[Path] = []
        while len(children) < 2 and report.poll() is None:  # one that draws, one that keeps account of both
            children = [Path("/proc", child) for child in children_of(report.pid)]
        report.kill()
    assert children
    for _ in range(500):
        if not any(map(is_alive, children)):
            break
        time.sleep(0.02)
    assert not [child for child in children if is_alive(child)]
    assert not (finished_run.folder / "report.html").exists()


def children_of(process: int) -> list[str]:
    if not Path("/proc/self/task").is_dir():
        pytest.skip("no /proc tells of processes here")
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


def is_alive(process: Path) -> bool:
    """Whether it is there, and more than a dead one that nobody has asked about."""
    try:
        return (process / "stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


# ---- in a browser ----


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="pytest-playwright is a development dependency")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium on this machine; apt-get install chromium brings Debian's")
    with sync_api.sync_playwright() as playwright:
        # A container's root cannot have the sandbox; the page is our own.
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def tab(browser: Any, reported: Path) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(120_000)
    opened.said, opened.asked = [], []
    opened.on("console", lambda message: opened.said.append(message.text))
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.goto((reported / "report.html").as_uri())
    yield opened
    opened.close()


def test_nothing_is_fetched_nothing_is_complained_and_nothing_overflows(tab: Any, reported: Path) -> None:
    for width in (1280, 400):
        for scheme in ("light", "dark"):
            tab.set_viewport_size({"width": width, "height": 900})
            tab.emulate_media(color_scheme=scheme)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    wide = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.textContent.slice(0, 80))"
    assert tab.locator(".scroll").evaluate_all(wide) == []
    assert [url for url in tab.asked if not url.startswith(("data:", reported.as_uri()))] == []
    assert tab.said == []


def test_on_paper_no_table_is_cut_off_or_lies_on_what_follows(tab: Any) -> None:
    tab.set_viewport_size({"width": 700, "height": 900})  # about A4, where small screens' rules hold too
    tab.emulate_media(media="print")
    wide = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.textContent.slice(0, 80))"
    assert tab.locator(".scroll").evaluate_all(wide) == []
    table, houses = tab.locator("#worst-table").bounding_box(), tab.locator("#houses").bounding_box()
    assert table["y"] + table["height"] <= houses["y"]


def test_a_click_or_an_arrow_key_shows_a_houses_waterfall(tab: Any) -> None:
    rows = tab.locator("#worst-table tbody tr")
    house = rows.nth(4).get_attribute("data-house")
    rows.nth(4).click()
    assert tab.locator(f"#house-{house} svg").is_visible()
    assert tab.locator(".house:visible").count() == 1
    rows.nth(4).locator("button").focus()
    tab.keyboard.press("ArrowDown")
    following = rows.nth(5).get_attribute("data-house")
    assert tab.locator(f"#house-{following} svg").is_visible()
    assert not tab.locator(f"#house-{house}").is_visible()


def test_the_table_sorts_and_filters(tab: Any) -> None:
    def prices() -> list[int]:
        cells = tab.locator("#all-table tbody tr:visible td:nth-child(3)").all_inner_texts()
        return [int(re.sub(r"\D", "", cell)) for cell in cells]

    heading = tab.locator('#all-table th[data-key="price"] button')
    heading.click()
    assert prices() == sorted(prices())
    assert len(prices()) == N_ROWS
    heading.click()
    assert prices() == sorted(prices(), reverse=True)
    middle = sorted(prices())[N_ROWS // 2]
    tab.fill("#filter", f"price > {middle}")
    assert prices() == [price for price in prices() if price > middle]
    assert tab.locator("#count").inner_text() == f"{len(prices())} of {N_ROWS} houses"
    tab.fill("#filter", "no such place")
    assert prices() == []
    tab.fill("#filter", "")
    assert len(prices()) == N_ROWS
