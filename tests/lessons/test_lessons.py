"""The lessons' pages, folders and options: nothing is half-written."""

import ast
import html
import inspect
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from idx_bytes import idx_bytes

from houseprices import lessons as lessons_package
from houseprices.charts import new_chart
from houseprices.cli import app as cli_app
from houseprices.cli import main
from houseprices.engine.regularization import dropout
from houseprices.errors import DataError, HousePricesError
from houseprices.lessons.content import Block, Chart, Exercise, Heading, Lesson, Paragraph, Source
from houseprices.lessons.formula_drawing import draw_formula
from houseprices.lessons.highlighting import highlight_python
from houseprices.lessons.image_networks import FromScratch
from houseprices.lessons.images import load_images
from houseprices.lessons.markup import to_html
from houseprices.lessons.norms import norms_lesson
from houseprices.lessons.page import render_page
from houseprices.lessons.terminal import lesson_text
from houseprices.lessons.writing import new_lesson_folder

pytestmark = pytest.mark.usefixtures("place")


def run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as error:
        main(["lesson", *arguments])
    return error.value.code


# ---- the images ----


def write_fashion(folder: Path, **changes: np.ndarray) -> Path:
    pixels, labels = np.zeros((5, 28, 28), "u1"), np.arange(5, dtype="u1")
    pixels[1] = 255
    folder.mkdir()
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(changes.get("images", pixels)))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(changes.get("labels", labels)))
    return folder


def test_images_on_disk_are_read_and_scaled(tmp_path: Path):
    images = load_images(write_fashion(tmp_path / "fashion"))
    assert images.training.shape == (5, 784)
    assert (images.training[0].max(), images.training[1].min()) == (0, 1)
    assert images.test_labels.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": np.zeros((5, 8, 8), "u1")}, "train-images.*accepted: uint8"),
        ({"labels": np.zeros(4, "u1")}, "train-labels.*one an image"),
        ({"labels": np.array([0, 1, 10, 3, 4], "u1")}, "label 10 of image 3; accepted: 0 to 9"),
    ],
)
def test_files_that_are_not_fashion_mnist_are_refused(tmp_path: Path, changes: dict[str, np.ndarray], words: str):
    with pytest.raises(DataError, match=words):
        load_images(write_fashion(tmp_path / "fashion", **changes))


def test_without_fashion_mnist_there_are_digits_whose_test_images_are_others():
    images = load_images()
    assert "digits" in images.name
    assert len(images.training) + len(images.test) == 1797


# ---- the page and the folder ----


def lesson_of(*blocks: Block, name: str = "t", following: str | None = None) -> Lesson:
    exercises = [Exercise("why?", "lesson norms", "because")]
    return Lesson(name, name.upper(), "what?", "this.", list(blocks), exercises, following)


def test_text_is_escaped_and_a_formulas_letters_are_variables_unless_they_form_a_word():
    text = to_html("a < b in `x<y>`: $max(λ, 2n) < Σ ∂o$")
    expected = "max(<var>λ</var>, 2<var>n</var>) &lt; Σ ∂<var>o</var>"
    assert text == f'a &lt; b in <code>x&lt;y&gt;</code>: <span class="short">{expected}</span>'


def test_the_page_shows_the_engines_own_code_and_asks_nothing_of_the_network():
    page = render_page("Norms & <more>", [norms_lesson()], [1.0])
    assert "Norms &amp; &lt;more&gt;" in page
    shown = html.unescape(re.sub("<[^>]+>", "", page))
    assert "return 0.5 * weight_decay * weights.square().sum(dim=1)" in shown
    assert not re.search(r'(src|href)="(?!#)', page.replace("http://www.w3.org/", ""))
    assert_links_have_a_target(page)


def assert_links_have_a_target(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert {link for link in re.findall(r'href="#([^"]+)"', page) if not link.startswith("#")} <= set(ids)


def test_a_course_opens_with_its_contents_and_each_lesson_leads_to_the_next():
    lessons = [lesson_of(Heading("One & all"), name="first", following="second"), lesson_of(name="second")]
    page = render_page("T", lessons, [2.4, 61.0])
    assert_links_have_a_target(page)
    contents = page[page.index("<nav") : page.index("</nav>")]
    assert re.findall(r'href="#([^"]+)"', contents) == [
        "first", "first-one-all", "first-exercises", "second", "second-exercises",
    ]  # fmt: skip
    assert "2 s to run" in contents
    assert "61 s to run" in contents
    assert '<p class="next">Next: <a href="#second">SECOND</a>' in page


def test_a_lesson_alone_names_the_command_of_the_next():
    assert "<code>houseprices lesson second</code>" in render_page("T", [lesson_of(following="second")], [1.0])


def test_a_formula_is_drawn_in_the_texts_colour_and_reads_aloud():
    drawn = draw_formula(r"\sqrt{\frac{1}{n}}", "√(1/n) < 2")
    assert 'aria-label="√(1/n) &lt; 2"' in drawn
    assert 'fill="currentColor"' in drawn
    height = {latex: float(re.search(r'viewBox="\S+ \S+ \S+ (\S+)"', draw_formula(latex, ""))[1]) for latex in TALL}
    assert sorted(height, key=height.__getitem__) == list(TALL)


TALL = ("x", r"\left(\frac{1}{n}\right)", r"\left(\frac{\frac{1}{n}}{\frac{1}{n}}\right)")


def test_code_keeps_every_character_when_it_is_coloured():
    code = Source(FromScratch).text
    coloured = highlight_python(code)
    assert html.unescape(re.sub("<[^>]+>", "", coloured)) == code
    assert '<span class="k">class</span>' in coloured


def test_source_leaves_out_the_docstring():
    text = Source(dropout).text
    assert text.startswith("def dropout(")
    assert '"""' not in text
    assert text.rstrip().endswith("return unit * torch.where(keep, ONE / (ONE - rate), ZERO)")


def test_source_of_a_class_leaves_out_every_docstring_and_nothing_else():
    text = Source(FromScratch).text
    assert '"""' not in text
    assert text.startswith("class FromScratch:\n    def __init__(")
    assert text.count("def ") == inspect.getsource(FromScratch).count("def ")
    compile(text, "shown", "exec")


def test_a_lesson_writes_figures_numbers_and_a_page_and_replaces_its_own(capsys: pytest.CaptureFixture[str]):
    assert run("norms", "--to", "here") == 0
    assert capsys.readouterr().out.endswith("here/index.html\n")
    written = {path.name for path in Path("here").iterdir()}
    assert {"index.html", "unit-balls.svg", "unit-balls.png", "unit-balls.csv", "norms.csv", "lesson.json"} <= written
    assert run("norms", "--p", "4", "--to", "here") == 0
    assert "4" in pd.read_csv("here/norms.csv")["p"].tolist()
    assert [path.name for path in Path().iterdir()] == ["here"]


def test_a_folder_with_other_files_is_left_alone(capsys: pytest.CaptureFixture[str]):
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("words")
    assert run("norms", "--to", "mine") == 1
    assert capsys.readouterr().err.startswith("houseprices: mine/thesis.txt: no lesson wrote this")
    assert [path.name for path in Path("mine").iterdir()] == ["thesis.txt"]


def test_a_lesson_that_fails_leaves_the_earlier_one():
    with new_lesson_folder(Path("here")) as staging:
        (staging / "index.html").write_text("first")
    with pytest.raises(ZeroDivisionError), new_lesson_folder(Path("here")) as staging:
        (staging / "index.html").write_text(str(1 / 0))
    assert (Path("here") / "index.html").read_text() == "first"
    assert [path.name for path in Path().iterdir()] == ["here"]


def test_a_file_that_somebody_else_put_there_meanwhile_is_left_alone():
    Path("here").mkdir()
    with (
        pytest.raises(HousePricesError, match=r"^here/theirs\.txt: no lesson wrote this"),
        new_lesson_folder(Path("here")),
    ):
        Path("here/theirs.txt").write_text("theirs")
    assert [str(path) for path in Path().rglob("*")] == ["here", "here/theirs.txt"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nonsense"], 2, "norms, weight-decay, dropout, backprop, since, house-prices, all"),
        (["norms", "--p", "0.5"], 2, "p must be in [1, inf]"),
        (["norms", "--p", "nan"], 2, "p must be in [1, inf]"),
        (["norms", "--lambda", "0"], 2, "lambda must be in (0, 20]"),
        (["weight-decay", "--lambda", "-1"], 2, "lambda must be in [0,"),
        (["weight-decay", "--lambda", "nan"], 2, "lambda must be in [0,"),
        (["weight-decay", "--seed", "-1"], 2, "seed must be 0 or more"),
        (["dropout", "--rate", "1.5", "0.5"], 2, "dropout rate must be in [0, 1)"),
        (["dropout", "--rate", "0.5"], 2, "rates must be 2 numbers"),
        (["dropout", "--images", "nowhere"], 1, "nowhere: no such folder"),
        (["backprop", "--rate", "1.5"], 2, "dropout rate must be in [0, 1]"),
        (["backprop", "--lambda", "inf"], 2, "lambda must be in [0, inf)"),
        (["since", "--flipped", "0"], 2, "flipped must be in (0, 0.9]"),
        (["since", "--flipped", "nan"], 2, "flipped must be in (0, 0.9]"),
        (["since", "--seed", "-1"], 2, "seed must be 0 or more"),
        (["since", "--data", "nowhere"], 1, "nowhere: no such folder"),
        (["house-prices", "--data", "nowhere"], 1, "nowhere: no such folder"),
        (["house-prices", "--seed", "-1"], 2, "seed must be 0 or more"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
):
    assert run(*arguments) == code
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert words in err
    assert list(Path().iterdir()) == []


def commands_of_exercises() -> dict[str, list[str]]:
    """{module: the commands of its exercises}, a computed part of one standing as 1."""
    found: dict[str, list[str]] = {}
    for file in sorted(Path(lessons_package.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="Exercise"), args=[_, ast.Constant(value=command), _]):
                    found.setdefault(file.stem, []).append(command)
                case ast.Call(func=ast.Name(id="Exercise"), args=[_, ast.JoinedStr(values=parts), _]):
                    texts = [part.value if isinstance(part, ast.Constant) else "1" for part in parts]
                    found.setdefault(file.stem, []).append("".join(map(str, texts)))
    return found


def test_every_lesson_has_three_exercises_and_their_commands_are_the_command_lines():
    commands = commands_of_exercises()
    assert set(commands) == {"norms", "weight_decay", "dropout", "backprop", "lesson", "house_prices"}
    for of_lesson in commands.values():
        assert len(of_lesson) == 3
        for command in of_lesson:
            function, _, _ = cli_app.parse_args(command.split(), exit_on_error=False, print_error=False)
            assert function.__module__ == "houseprices.cli.lessons"


def test_a_command_repeats_what_the_lesson_was_given_unless_the_exercise_sets_it():
    given = {"--data": Path("my houses"), "--seed": 3, "--images": None}
    exercises = [Exercise("a?", "lesson since", "a"), Exercise("b?", "lesson since --seed 1", "b")]
    lesson = Lesson("t", "T", "what?", "this.", [], exercises, None, given=given)
    commands = [lesson.command_of(exercise) for exercise in exercises]
    assert commands == [
        "houseprices lesson since --data 'my houses' --seed 3",
        "houseprices lesson since --seed 1 --data 'my houses'",
    ]
    shown = html.unescape(re.sub("<[^>]+>", "", render_page("t", [lesson], [1.0])))
    assert all(command in shown and command in lesson_text(lesson, Path("t")) for command in commands)


def test_neighbouring_charts_share_a_row():
    charts = [Chart(name, name, new_chart("x", "y")[0]) for name in ("one", "two")]
    page = render_page("t", [lesson_of(Heading("h"), *charts, Paragraph("p"))], [1.0])
    assert page.count('<div class="charts') == 1
    assert page.count("<figure>") == 2
