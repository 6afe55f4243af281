"""The lessons: from scratch equals torch's own, what they claim holds, and nothing is half-written."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from idx_bytes import idx_bytes

from houseprices.charts import new_chart
from houseprices.cli import main
from houseprices.engine.regularization import dropout
from houseprices.errors import DataError, HousePricesError
from houseprices.lessons import dropout as dropout_module
from houseprices.lessons.backprop import automatic, backward, by_engine, draw_network, forward
from houseprices.lessons.content import Chart, Heading, Lesson, Paragraph, Source
from houseprices.lessons.dropout import train_both
from houseprices.lessons.house_prices import chapter_columns
from houseprices.lessons.images import Images, load_images
from houseprices.lessons.markup import to_html
from houseprices.lessons.page import render_page
from houseprices.lessons.weight_decay import draw_problem, train_by_adam, train_concisely, train_from_scratch
from houseprices.lessons.writing import new_lesson_folder

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As the commands do: on small matrices threads wait for each other more than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as error:
        main(["lesson", *arguments])
    return error.value.code


# ---- weight decay ----


@pytest.mark.parametrize("coupled", [True, False])
def test_both_decays_under_adam_are_those_of_torchs_adam_and_adamw(coupled: bool):
    problem = draw_problem(0)
    ours = train_by_adam(problem, torch.tensor([0.5]), coupled=coupled)
    weights, bias = problem.start.float().requires_grad_(True), torch.zeros(1, requires_grad=True)
    kind = torch.optim.Adam if coupled else torch.optim.AdamW
    optimizer = kind([{"params": [weights], "weight_decay": 0.5}, {"params": [bias], "weight_decay": 0.0}], lr=0.01)
    for rows in problem.batches:
        optimizer.zero_grad()
        errors = problem.inputs[rows].float() @ weights + bias - problem.targets[rows].float()
        (0.5 * errors.square().mean()).backward()
        optimizer.step()
    torch.testing.assert_close(ours.weights[0], weights.detach(), rtol=0, atol=1e-4)
    torch.testing.assert_close(ours.biases, bias.detach(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_weight_decay_prevents_overfitting_and_from_scratch_equals_torch(seed: int):
    problem = draw_problem(seed)
    scratch = train_from_scratch(problem, torch.tensor([0.0, 3.0], dtype=torch.float64))
    test_loss = scratch.curves[-1, :, 1]
    assert test_loss[0] > 10 * test_loss[1]
    assert scratch.norms[0] > 10 * scratch.norms[1]
    concise = train_concisely(problem, 3.0)
    torch.testing.assert_close(scratch.weights[1:], concise.weights, rtol=0, atol=1e-6)
    torch.testing.assert_close(scratch.biases[1:], concise.biases, rtol=0, atol=1e-6)


def test_without_the_half_the_same_strength_counts_half():
    problem = draw_problem(0)
    doubled = train_concisely(problem, 3.0, 0.003, half=False)
    same = train_from_scratch(problem, torch.tensor([1.5], dtype=torch.float64), 0.006)
    torch.testing.assert_close(same.weights, doubled.weights, rtol=0, atol=1e-6)


# ---- dropout ----


@pytest.fixture
def few_images() -> Images:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(300, 12, generator=generator, dtype=torch.float64)
    labels = torch.randint(10, (300,), generator=generator)
    return Images("few", inputs, labels, inputs[:50], labels[:50])


@pytest.mark.parametrize("rates", [(0.2, 0.5), (0.0, 0.9)])
def test_dropout_from_scratch_equals_torchs_after_the_whole_training(few_images: Images, rates: tuple[float, float]):
    scratch, concise, curves = train_both(few_images, rates, n_epochs=5, seed=1)
    assert dropout_module.largest_gap(scratch, concise) < 1e-6
    start = dropout_module.start(12, seed=1)
    assert dropout_module.largest_gap(scratch, start) > 1e-3  # it did train
    assert curves["training loss"].iloc[-1] < curves["training loss"].iloc[0]


def test_training_leaves_torchs_generator_as_it_was(few_images: Images):
    before = torch.get_rng_state()
    train_both(few_images, (0.5, 0.5), n_epochs=1, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_mean_over_masks_is_the_input():
    rate, n_masks = 0.3, 20_000
    keep = torch.rand(1, n_masks, 6, generator=torch.Generator().manual_seed(0)) >= rate
    hidden = torch.arange(1.0, 7.0)
    mean = dropout(hidden.expand(1, n_masks, 6), torch.tensor([rate]), keep).mean(dim=1)[0]
    standard_error = hidden * (rate / (1 - rate) / n_masks) ** 0.5
    assert bool(((mean - hidden).abs() < 4.5 * standard_error).all())


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


# ---- backpropagation ----


@pytest.mark.parametrize(("rate", "strength"), [(0.5, 0.1), (0.0, 0.0), (0.3, 2.0), (1.0, 0.5)])
def test_gradients_by_hand_are_those_of_autograd_and_of_the_engine(rate: float, strength: float):
    network = draw_network(rate, strength, seed=3)
    by_hand = backward(network, forward(network))
    for name, expected in automatic(network).items():
        torch.testing.assert_close(by_hand[name], expected, rtol=0, atol=1e-6)
    for name, of_engine in by_engine(network, rate).items():
        torch.testing.assert_close(of_engine.double(), by_hand[name], rtol=1e-4, atol=1e-4)


# ---- house prices ----


def test_the_chapters_columns_are_standardised_numbers_and_levels_with_a_column_for_na(data_folder: Path):
    matrix = chapter_columns(data_folder / "train.csv", data_folder / "test.csv")
    train, test = (pd.read_csv(data_folder / name) for name in ("train.csv", "test.csv"))
    both = pd.concat([train, test]).drop(columns=["Id", "SalePrice"])
    n_numbers = both.select_dtypes("number").shape[1]
    n_levels = sum(both[name].nunique() + 1 for name in both.columns.difference(both.select_dtypes("number").columns))
    assert matrix.shape == (len(both), n_numbers + n_levels)
    # Of each column's levels, every house has one.
    assert (matrix[:, n_numbers:].sum(axis=1) == both.shape[1] - n_numbers).all()
    np.testing.assert_allclose(matrix[:, :n_numbers].mean(axis=0), 0, atol=1e-5)


# ---- the page and the folder ----


def test_text_is_escaped_and_formulas_become_mathml():
    html = to_html("a < b in `x<y>`: $1/(1 − p)$")
    assert html.startswith("a &lt; b in <code>x&lt;y&gt;</code>: <math")


def test_the_page_shows_the_engines_own_code_and_asks_nothing_of_the_network():
    from houseprices.lessons.norms import norms_lesson

    page = render_page("Norms & <more>", [norms_lesson()])
    assert "Norms &amp; &lt;more&gt;" in page
    assert "return 0.5 * weight_decay * weights.square().sum(dim=1)" in page
    assert not re.search(r'(src|href)="(?!#)', page.replace("http://www.w3.org/", ""))
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_source_leaves_out_the_docstring():
    text = Source(dropout).text
    assert text.startswith("def dropout(")
    assert '"""' not in text
    assert text.rstrip().endswith("return unit * torch.where(keep, ONE / (ONE - rate), ZERO)")


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
        (["nonsense"], 2, "norms, weight-decay, dropout, backprop, house-prices, all"),
        (["norms", "--p", "0.5"], 2, "p must be in [1, inf]"),
        (["norms", "--p", "nan"], 2, "p must be in [1, inf]"),
        (["weight-decay", "--lambda", "-1"], 2, "lambda must be in [0,"),
        (["weight-decay", "--lambda", "nan"], 2, "lambda must be in [0,"),
        (["weight-decay", "--seed", "-1"], 2, "seed must be 0 or more"),
        (["dropout", "--rate", "1.5", "0.5"], 2, "dropout rate must be in [0, 1)"),
        (["dropout", "--rate", "0.5"], 2, "rates must be 2 numbers"),
        (["dropout", "--images", "nowhere"], 1, "nowhere: no such folder"),
        (["backprop", "--rate", "1.5"], 2, "dropout rate must be in [0, 1]"),
        (["backprop", "--lambda", "inf"], 2, "lambda must be in [0, inf)"),
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


def test_neighbouring_charts_share_a_row():
    charts = [Chart(name, name, new_chart("x", "y")[0]) for name in ("one", "two")]
    page = render_page("t", [Lesson("t", "T", [Heading("h"), *charts, Paragraph("p")])])
    assert page.count('<div class="charts') == 1
    assert page.count("<figure>") == 2
