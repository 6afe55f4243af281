"""One look: figures that come out the same again, take a page's colours, and keep their ids to themselves."""

import re

import pytest

from houseprices.charts import SERIES, Drawing, chart_style, finish, line_style, log_ticks, new_chart, page_colours


@pytest.fixture
def chart() -> Drawing:
    with chart_style():
        figure, axes = new_chart("$ spent, $ saved", "error")
        for index, _ in enumerate(SERIES):
            axes.plot([1, 2], [1e-6, 10.0**index], **line_style(index), marker="o", label=f"line {index}")
        axes.set_yscale("log")
        log_ticks(axes.yaxis)
    return finish(figure, "costs", "Costs", 'Of "a" & <b>')


def test_the_same_figure_gives_the_same_bytes(chart: Drawing) -> None:
    with chart_style():
        first, second = (finish(new_chart("x", "y")[0], "n", "t", "a") for _ in range(2))
    assert first == second
    assert chart.png.startswith(b"\x89PNG")


def test_on_a_page_every_colour_is_a_variable_that_is_another_one_in_the_dark(chart: Drawing) -> None:
    assert set(SERIES) <= set(re.findall("#[0-9a-f]{6}", chart.svg))
    used = set(re.findall(r"var\(--([\w-]+)\)", inline := str(chart.inline())))
    assert set(re.findall("#[0-9a-f]{6}", inline)) == set()
    light, dark = page_colours().split("@media")
    for name in used:
        (by_day,), (by_night,) = (re.findall(rf"--{name}: (#\w+);", half) for half in (light, dark))
        assert by_day != by_night


def test_two_figures_of_one_name_share_no_id_on_a_page(chart: Drawing) -> None:
    ids = [set(re.findall(r' id="([^"]+)"', chart.inline(prefix))) for prefix in ("first-", "second-")]
    assert ids[0]
    assert not ids[0] & ids[1]
    pointed_at = set(re.findall(r'(?:href="#|url\(#)([^")]+)', chart.inline("first-")))
    assert pointed_at == ids[0]


def test_what_a_figure_says_is_text(chart: Drawing) -> None:
    assert 'aria-label="Of &#34;a&#34; &amp; &lt;b&gt;"' in chart.inline()
    assert {"$ spent, $ saved", "10⁻⁶", "0.01"} <= set(re.findall(r">([^<>]+)</text>", chart.svg))
