"""`houseprices lesson ...`: a command a lesson, and one for all of them. The lessons' libraries load when one runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from houseprices.lessons.content import Lesson

app = App(
    name="lesson",
    help="Run the textbook's lessons: text, figures (SVG, PNG), numbers (CSV) and a page that reads in a browser.",
)


@app.command
def norms(
    *, p: float = 3.0, strength: Annotated[float, Parameter(name="--lambda")] = 0.5, to: Path | None = None
) -> None:
    """Lp norms, their unit balls, and what L1 and L2 penalties do to small weights.

    Args:
        p: Of the norm shown beside 1, 2 and infinity; at least 1.
        strength: Of the penalties.
        to: The folder. Without it lessons/norms.
    """

    def lesson() -> "Lesson":
        from houseprices.lessons.norms import norms_lesson

        return norms_lesson(p, strength)

    _run({"norms": lesson}, to)


@app.command
def weight_decay(
    *, strength: Annotated[float, Parameter(name="--lambda")] = 3.0, seed: int = 0, to: Path | None = None
) -> None:
    """Linear regression with 200 inputs and 20 rows, with and without weight decay.

    Args:
        strength: Of the decay, shown against none.
        seed: Draws the data, the start and the batches.
        to: The folder. Without it lessons/weight-decay.
    """

    def lesson() -> "Lesson":
        from houseprices.lessons.weight_decay import weight_decay_lesson

        return weight_decay_lesson(strength, seed)

    _run({"weight-decay": lesson}, to)


@app.command
def dropout(
    *,
    rate: Annotated[Sequence[float], Parameter(consume_multiple=True)] = (0.2, 0.5),
    images: Path | None = None,
    seed: int = 0,
    to: Path | None = None,
) -> None:
    """The dropout layer, and a network for images with and without it.

    Args:
        rate: Of the two hidden layers, e.g. --rate 0.2 0.5.
        images: Folder with Fashion-MNIST's files. Without it data/fashion-mnist, or scikit-learn's digits.
        seed: Draws the start, the batches and the masks.
        to: The folder. Without it lessons/dropout.
    """

    def lesson() -> "Lesson":
        from houseprices.lessons.dropout import dropout_lesson

        return dropout_lesson(rate, images, seed)

    _run({"dropout": lesson}, to)


@app.command
def backprop(
    *,
    rate: float = 0.5,
    strength: Annotated[float, Parameter(name="--lambda")] = 0.1,
    seed: int = 0,
    to: Path | None = None,
) -> None:
    """Forward and backward through one hidden layer by hand, against automatic differentiation.

    Args:
        rate: Of the dropout.
        strength: Of the L2 penalty.
        seed: Draws the rows, the weights and the mask.
        to: The folder. Without it lessons/backprop.
    """

    def lesson() -> "Lesson":
        from houseprices.lessons.backprop import backprop_lesson

        return backprop_lesson(rate, strength, seed)

    _run({"backprop": lesson}, to)


@app.command
def since(*, flipped: float = 0.12, data: Path | None = None, seed: int = 0, to: Path | None = None) -> None:
    """What has been learnt of decay and dropout since the textbook's chapter, each measured over seeds.

    Args:
        flipped: Share of the labels that are set to another class.
        data: Folder with train.csv and test.csv. Without it data/raw, or the synthetic sample if that is empty.
        seed: The first of those that each experiment uses.
        to: The folder. Without it lessons/since.
    """

    def lesson() -> "Lesson":
        from houseprices.lessons.since.lesson import since_lesson

        return since_lesson(flipped, data, seed)

    _run({"since": lesson}, to)


@app.command
def house_prices(*, data: Path | None = None, seed: int = 0, to: Path | None = None) -> None:
    """The textbook's own solution of House Prices, and step by step from it to this project's.

    Args:
        data: Folder with train.csv and test.csv. Without it data/raw, or the synthetic sample if that is empty.
        seed: Fixes the folds and every network's random numbers.
        to: The folder. Without it lessons/house-prices.
    """

    def lesson() -> "Lesson":
        from houseprices.lessons.house_prices import house_prices_lesson

        return house_prices_lesson(data, seed)

    _run({"house-prices": lesson}, to)


@app.command(name="all")
def all_lessons(*, data: Path | None = None, images: Path | None = None, seed: int = 0, to: Path | None = None) -> None:
    """All lessons on one page.

    Args:
        data: As of house-prices and since.
        images: As of dropout.
        seed: Of every lesson.
        to: The folder. Without it lessons/all.
    """

    from houseprices.lessons.backprop import backprop_lesson
    from houseprices.lessons.dropout import dropout_lesson
    from houseprices.lessons.house_prices import house_prices_lesson
    from houseprices.lessons.norms import norms_lesson
    from houseprices.lessons.since.lesson import since_lesson
    from houseprices.lessons.weight_decay import weight_decay_lesson

    lessons = {
        "norms": norms_lesson,
        "weight-decay": lambda: weight_decay_lesson(seed=seed),
        "dropout": lambda: dropout_lesson(images=images, seed=seed),
        "backprop": lambda: backprop_lesson(seed=seed),
        "since": lambda: since_lesson(data=data, seed=seed),
        "house-prices": lambda: house_prices_lesson(data, seed),
    }
    _run(lessons, to)


def _run(lessons: "dict[str, Callable[[], Lesson]]", to: Path | None) -> None:
    """Run the lessons, write them, and print the text of one, a line each of several."""
    from houseprices.cli.terminal import listening
    from houseprices.lessons.course import run_lessons

    with listening() as tell:
        page, done = run_lessons(lessons, to, tell)
    if len(done) == 1:
        from houseprices.lessons.terminal import lesson_text

        print(lesson_text(done[0].lesson, page.parent))
    else:
        for one in done:
            print(f"{one.lesson.title}: {one.seconds:.1f} s")
    print(page)
