"""What a job tells reaches a person: notices always, bars where somebody sees them."""

import io
import re

import pytest

from houseprices.cli.terminal import print_error, progress_bars
from houseprices.progress import Notice, Progress


def test_a_notice_is_a_line_on_stderr_and_progress_is_nothing_where_nobody_looks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress_bars() as notify:
        notify(Progress("baking", 1, 3))
        notify(Notice("too hot\nopen a window"))
        notify(Progress("baking", 3, 3))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "houseprices: too hot\nhouseprices: open a window\n"


def test_of_a_very_long_line_the_ends_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    print_error("train.csv: 'a" + 10_000 * "b" + "c'; accepted: a number")
    line = capsys.readouterr().err
    assert line.startswith("houseprices: train.csv: 'abbb")
    assert line.endswith("bbbc'; accepted: a number\n")
    assert len(line) < 500


def test_a_stage_is_a_bar_with_its_figures_until_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    with progress_bars(draw=True) as notify:
        notify(Progress("baking", 2, 3))
        notify(Progress("fetching", 500, 2_000_000, in_bytes=True))
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    before, first, after = shown.partition("fetching")
    assert "baking" in before
    assert first
    assert "500 bytes of 2.0 MB" in after
    assert "baking" not in after
