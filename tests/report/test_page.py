"""The page shows the run's own figures, needs no other file, escapes its values and works in a browser."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import N_ROWS, FinishedRun, exit_code

from houseprices.report.evidence import Evidence, gather
from houseprices.report.page import render
from houseprices.runs.read import read_run
from houseprices.selection import ablation

SECTIONS = ("score", "curves", "ablation", "errors", "worst", "all", "intervals", "why", "ensemble")


@pytest.fixture(scope="module")
def reported(finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished run with an ablation of four cells and its report."""
    folder = tmp_path_factory.mktemp("reported") / "run"
    shutil.copytree(finished_run.folder, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder.parent)
        for name, value in {"WEIGHT_DECAYS": (0.0, 5.0), "DROPOUTS": (0.0, 0.5), "N_SEEDS": 2, "EPOCHS": 1}.items():
            patch.setattr(ablation, name, value)
        assert exit_code("ablate", "--run", str(folder)) == 0
        assert exit_code("report", "--run", str(folder)) == 0
    return folder


@pytest.fixture(scope="module")
def page(reported: Path) -> str:
    return (reported / "report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def evidence(reported: Path) -> Evidence:
    run = read_run(reported)
    return gather(run, *run.houses())


def test_the_page_has_every_section_and_the_runs_own_figures(page: str, reported: Path) -> None:
    assert all(f'<section id="{section}"' in page for section in SECTIONS)
    metrics = json.loads((reported / "metrics.json").read_text("utf-8"))
    tiles = [metrics["log_rmse"]["pooled"], metrics["log_rmse"]["train"], *metrics["baselines"].values()]
    assert all(f"<dd>{score:.4f}</dd>" in page for score in tiles)
    assert all(f"{fold['log_rmse']:.4f}</td>" in page for fold in metrics["by_fold"])
    grid = ablation.grid_of(ablation.read_ablation(reported / "ablation").table)
    assert f"{grid['validation_log_rmse'].min():.4f}, is at weight decay" in page


def test_the_page_needs_nothing_outside_itself_and_describes_every_figure(page: str) -> None:
    addresses = re.findall(r"(?:href|src)=\"([^#\"][^\"]*)", page)
    assert all(address.startswith("data:") for address in addresses)
    assert "url(http" not in page
    assert "@import" not in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert len(re.findall(r'<img src="data:image/svg[^"]*" alt="[^"]{20,}"', page)) == page.count("<figure") > 20


def test_the_bars_of_a_house_lead_from_the_average_price_to_its_own(page: str, evidence: Evidence) -> None:
    house = evidence.rows.iloc[evidence.worst[0]]
    article = page.split(f'<article id="house-{house.Id:.0f}"')[1].split("</table>")[0]
    reached = [int(price.replace(",", "")) for price in re.findall(r'class="number">\$([\d,]+)</td>', article)]
    assert reached[-1] == pytest.approx(house.predicted_usd, rel=1e-3)
    bars = [tuple(map(float, bar)) for bar in re.findall(r"margin-left:([\d.]+)%;width:([\d.]+)%", article)]
    assert all(left >= 0 and left + width <= 100.05 for left, width in bars)
    lengths = [width - 1 for _, width in bars]
    prices = np.log([np.exp(evidence.explanation.baseline[evidence.worst[0]]), *reached])
    np.testing.assert_allclose(lengths, 99 * np.abs(np.diff(prices)) / np.ptp(prices), atol=0.2)


def test_the_submissions_intervals_hold_its_prices(reported: Path) -> None:
    table = pd.read_csv(reported / "intervals.csv")
    assert table[["Id", "SalePrice"]].equals(pd.read_csv(reported / "submission.csv"))
    for coverage in (50, 80, 90):
        # CV+ intervals hold the mean prediction; both are rounded to the cent.
        assert (table[f"lower_{coverage}"] <= table["SalePrice"] + 0.02).all()
        assert (table[f"upper_{coverage}"] >= table["SalePrice"] - 0.02).all()


def test_the_report_leaves_the_run_as_it_was_and_is_made_again_alike(
    reported: Path, page: str, finished_run: FinishedRun
) -> None:
    for file in finished_run.folder.iterdir():
        assert (reported / file.name).read_bytes() == file.read_bytes()
    assert exit_code("report", "--run", str(reported)) == 0
    assert (reported / "report.html").read_text("utf-8") == page


def test_values_stay_text_and_a_samples_page_says_in_every_section_that_it_is_synthetic(evidence: Evidence) -> None:
    evil = "<script>alert(1)</script>"
    houses = evidence.houses.copy()
    houses["Neighborhood"] = houses["Neighborhood"].cat.rename_categories({houses["Neighborhood"].iloc[0]: evil})
    sample = replace(evidence.run, metrics=replace(evidence.run.metrics, data="sample"))
    page = render(replace(evidence, houses=houses, run=sample))
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert page.count("Synthetic data") == len(SECTIONS)
    assert "leaderboard" not in page.lower()


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
    opened.messages, opened.requests = [], []
    opened.on("console", lambda message: opened.messages.append(message.text))
    opened.on("pageerror", lambda error: opened.messages.append(str(error)))
    opened.on("request", lambda request: opened.requests.append(request.url))
    opened.goto((reported / "report.html").as_uri())
    yield opened
    opened.close()


OVERFLOWING = (
    "all => all.filter(table => table.scrollWidth > table.clientWidth).map(table => table.textContent.slice(0, 80))"
)


def test_nothing_is_fetched_nothing_overflows_and_every_figure_loads(tab: Any, reported: Path) -> None:
    for width in (1280, 400):
        tab.set_viewport_size({"width": width, "height": 900})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    hint, table = tab.locator("#all .hint"), tab.locator("#all .scroll")
    assert hint.is_visible() == table.evaluate("table => table.scrollWidth > table.clientWidth")
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    assert tab.locator(".scroll").evaluate_all(OVERFLOWING) == []
    assert tab.locator("figure img").evaluate_all("all => all.filter(table => table.naturalWidth === 0).length") == 0
    assert [url for url in tab.requests if not url.startswith(("data:", reported.as_uri()))] == []
    assert tab.messages == []
    tab.emulate_media(media="print")  # on paper no table is cut off
    assert tab.locator(".scroll").evaluate_all(OVERFLOWING) == []


def test_a_click_or_an_arrow_key_shows_a_houses_bars(tab: Any) -> None:
    rows = tab.locator("#worst-table tbody tr")
    house, following = (rows.nth(row).get_attribute("data-house") for row in (4, 5))
    rows.nth(4).click()
    assert tab.locator(f"#house-{house} .bars").is_visible()
    assert tab.locator(".house:visible").count() == 1
    rows.nth(4).locator("button").focus()
    tab.keyboard.press("ArrowDown")
    assert tab.locator(f"#house-{following} .bars").is_visible()
    assert not tab.locator(f"#house-{house}").is_visible()


def test_the_table_sorts_and_filters(tab: Any) -> None:
    def prices() -> list[int]:
        cells = tab.locator("#all-table tbody tr:visible td:nth-child(3)").all_inner_texts()
        return [int(re.sub(r"\D", "", cell)) for cell in cells]

    heading = tab.locator('#all-table th[data-key="price"] button')
    heading.click()
    assert prices() == sorted(prices())
    assert len(prices()) == N_ROWS
    middle = sorted(prices())[N_ROWS // 2]
    tab.fill("#filter", f"price > {middle}")
    assert prices() == [price for price in prices() if price > middle]
    assert tab.locator("#count").inner_text() == f"{len(prices())} of {N_ROWS} houses"
