"""The space of a search: what it suggests, and what it refuses."""

import optuna
import pytest

from houseprices.errors import SettingsError
from houseprices.selection.search_space import read_space
from houseprices.settings import ModelSettings

BASE = ModelSettings(n_members=3)

TEXT = """
depth = [0, 2]
width = { low = 4, high = 16, log = true }
dropout = { low = 0.1, high = 0.5, step = 0.2 }
learning_rate = { low = 1e-3, high = 1e-2, log = true }
weight_decay = { low = 1, high = 10 }
epochs = { low = 10.0, high = 30, step = 10 }
decay_kind = ["decoupled", "coupled"]
blocks = [["numbers"], ["products", "one_hot"]]
"""


@pytest.fixture
def space_of(tmp_path):
    """Read a space from a text."""

    def read(text: str):
        file = tmp_path / "space.toml"
        file.write_text(text, "utf-8")
        return read_space(file)

    return read


def suggested(space, n_trials: int = 60) -> list[ModelSettings]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [space.model(study.ask(dict(space.distributions)).params, BASE) for _ in range(n_trials)]


def test_each_suggestion_lies_in_the_space_and_all_of_the_space_is_reached(space_of):
    models = suggested(space_of(TEXT))
    assert {len(model.hidden) for model in models} == {0, 2}
    assert all(4 <= width <= 16 for model in models for width in model.hidden)
    assert any(len(set(model.hidden)) == 2 for model in models)  # each layer has a width of its own
    assert {round(model.dropout, 9) for model in models} == {0.1, 0.3, 0.5}
    assert {model.epochs for model in models} == {10, 20, 30}
    assert any(model.weight_decay % 1 for model in models)  # the setting says whether numbers are whole
    assert {model.decay_kind for model in models} == {"decoupled", "coupled"}
    assert {model.blocks for model in models} == {("numbers",), ("products", "one_hot")}
    rates = sorted(model.learning_rate for model in models)
    assert (rates[0] >= 1e-3, rates[-1] <= 1e-2) == (True, True)
    assert 2e-3 < rates[len(rates) // 2] < 5e-3  # the middle in logarithms is 3.2e-3, else 5.5e-3


def test_settings_that_do_not_vary_are_as_in_the_base(space_of):
    [model, *_] = suggested(space_of("dropout = [0.1]"))
    assert (model.dropout, model.n_members) == (0.1, 3)
    assert (model.hidden, model.weight_decay, model.blocks) == (BASE.hidden, BASE.weight_decay, BASE.blocks)


def test_the_default_space_is_accepted_and_varies_every_regulariser():
    space = read_space()
    assert {"dropout", "input_dropout", "weight_decay", "decay_kind"} <= space.distributions.keys()
    assert len(suggested(space)) == 60


def test_the_order_of_the_file_changes_no_suggestion(space_of):
    space, reordered = space_of(TEXT), space_of("\n".join(reversed(TEXT.strip().splitlines())))
    assert repr(space) == repr(reordered) != repr(space_of(TEXT.replace("0.5", "0.7")))
    assert suggested(space) == suggested(reordered)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr = [0.1]", "lr is unknown; accepted: depth, width, activation"),
        ("hidden = [[8]]", "hidden is unknown"),
        ("", "varies nothing"),
        ("depth = [1]", "varies depth; accepted: one of depth, width"),
        ("dropout = []", "accepted: one choice or more, no two alike"),
        ("dropout = [0, 0.0]", "accepted: one choice or more, no two alike"),
        ("dropout = 0.5", "accepted: a list of choices, or a table"),
        ("dropout = { low = 0.1 }", "accepted: a list of choices, or a table"),
        ("dropout = { low = 0.1, high = 0.5, to = 1 }", "accepted: a list of choices, or a table"),
        ("dropout = { low = 0.5, high = 0.1 }", "accepted: a list of choices, or a table"),
        ("dropout = { low = nan, high = 0.1 }", "nan is refused"),
        ("dropout = { low = 0.1, high = 1.5 }", "1.5 is refused: input should be less than 1"),
        ("dropout = { low = 0.0, high = 0.5, log = true }", "accepted: a list of choices, or a table"),
        ("dropout = { low = 0.1, high = 0.5, step = 0 }", "accepted: a list of choices, or a table"),
        ("epochs = { low = 20, high = 100, step = 0.5 }", "20.5 is refused: input should be a valid integer"),
        ("depth = [1.5]\nwidth = [8]", "1.5 is refused: input should be a valid integer"),
        ("width = [0]\ndepth = [1]", "0 is refused"),
        ("activation = { low = 1, high = 2 }", "1 is refused"),
        ("blocks = [['walls']]", "['walls'] is refused"),
        ("dropout = [", "accepted: a TOML file"),
    ],
)
def test_what_is_no_space_is_refused_in_one_line(space_of, tmp_path, text, message):
    with pytest.raises(SettingsError) as refused:
        space_of(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert str(tmp_path / "space.toml") in str(refused.value)
