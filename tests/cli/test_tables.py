"""A table says the same in a terminal and to a program, and what is in a cell stays text."""

import re

import pytest

from houseprices.cli.terminal import print_table

HEADINGS, ROWS, BELOW = ("name", "price"), [("[red]brick[/red]", "$1"), ("wood", "$1,000")], [("both", "$1,001")]


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_table("houses", HEADINGS, ROWS, BELOW, words=("name",))
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()


def test_a_program_gets_tab_separated_lines_under_the_headings(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys) == ["name\tprice", "[red]brick[/red]\t$1", "wood\t$1,000", "both\t$1,001"]


def test_a_person_gets_a_drawing_with_words_left_and_figures_right(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    title, headings, rule, *rows = printed(capsys)
    assert title.strip() == "houses"
    assert headings.split() == ["name", "price"]
    assert set(rule.strip()) == {"─"}
    assert [row.split() for row in rows if row.strip()] == [list(row) for row in (*ROWS, *BELOW)]
    ends = {len(row.rstrip()) for row in (headings, *rows) if row.strip()}
    assert len(ends) == 1
    assert all(not row.startswith(" ") for row in rows if row.strip())


def test_a_title_longer_than_its_table_stays_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_table("the prices of all houses, by name", HEADINGS, ROWS)
    assert "the prices of all houses, by name" in capsys.readouterr().out
