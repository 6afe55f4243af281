"""The space of a search: what it suggests, and what it refuses."""

import optuna
import pytest

from houseprices.errors import SettingsError
from houseprices.selection.search_space import read_space
from houseprices.settings import ModelSettings

GROUP = ModelSettings(n_members=3)

TEXT = """
depth = [0, 2]
width = { low = 4, high = 16, log = true }
dropout = { low = 0.1, high = 0.5, step = 0.2 }
learning_rate = { low = 1e-3, high = 1e-2, log = true }
epochs = { low = 10, high = 30, step = 10 }
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
    return [space.suggest(study.ask(), GROUP) for _ in range(n_trials)]


def test_each_suggestion_lies_in_the_space_and_all_of_the_space_is_reached(space_of):
    models = suggested(space_of(TEXT))
    assert {len(of.hidden) for of in models} == {0, 2}
    assert all(4 <= width <= 16 for of in models for width in of.hidden)
    assert any(len(set(of.hidden)) == 2 for of in models)  # each layer has a width of its own
    assert {round(of.dropout, 9) for of in models} == {0.1, 0.3, 0.5}
    assert {of.epochs for of in models} == {10, 20, 30}
    assert {of.decay_kind for of in models} == {"decoupled", "coupled"}
    assert {of.blocks for of in models} == {("numbers",), ("products", "one_hot")}
    rates = sorted(of.learning_rate for of in models)
    assert rates[0] >= 1e-3
    assert rates[-1] <= 1e-2
    assert 2e-3 < rates[len(rates) // 2] < 5e-3  # the middle in logarithms is 3.2e-3, else 5.5e-3


def test_the_setting_says_whether_numbers_are_whole(space_of):
    decays = {of.weight_decay for of in suggested(space_of("weight_decay = { low = 1, high = 10, log = true }"))}
    assert any(decay != round(decay) for decay in decays)


def test_settings_that_do_not_vary_are_as_in_the_base(space_of):
    [of, *_] = suggested(space_of("dropout = [0.1]"))
    assert (of.dropout, of.n_members) == (0.1, 3)
    assert (of.hidden, of.weight_decay, of.blocks) == (GROUP.hidden, GROUP.weight_decay, GROUP.blocks)


def test_the_space_that_comes_along_is_accepted_and_varies_every_regulariser():
    space = read_space()
    assert {"dropout", "input_dropout", "weight_decay", "decay_kind"} <= space.dimensions.keys()
    assert len(suggested(space)) == 60


def test_spaces_are_alike_whatever_the_order_and_the_words_around(space_of):
    lines = TEXT.strip().splitlines()
    assert space_of("\n".join(["# a remark", *reversed(lines)])).as_json() == space_of(TEXT).as_json()
    assert space_of(TEXT.replace("0.5", "0.7")).as_json() != space_of(TEXT).as_json()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr = [0.1]", "lr is unknown; accepted: depth, width, activation"),
        ("n_members = [1, 2]", "n_members is unknown"),
        ("hidden = [[8]]", "hidden is unknown"),
        ("", "varies nothing"),
        ("dropout = []", "accepted: one choice or more, no two alike"),
        ("dropout = [0.1, 0.1]", "accepted: one choice or more, no two alike"),
        ("dropout = 0.5", "dropout is 0.5; accepted: a list of choices, or a table"),
        ("dropout = { low = 0.1 }", "accepted: a list of choices, or a table"),
        ("dropout = { low = 0.1, high = 0.5, to = 1 }", "accepted: a list of choices, or a table"),
        ("dropout = { low = 0.5, high = 0.1 }", "low must be below high, got 0.5 and 0.1"),
        ("dropout = { low = nan, high = 0.1 }", "low must be below high, got nan and 0.1"),
        ("dropout = { low = 0.1, high = 1.5 }", "1.5 is refused: input should be less than 1"),
        ("dropout = { low = 'a', high = 'b' }", "should be a valid integer"),
        ("dropout = { low = 0.0, high = 0.5, log = true }", "needs a low above 0, and no step"),
        ("dropout = { low = 0.1, high = 0.5, log = 1 }", "should be a valid boolean"),
        ("dropout = { low = 0.1, high = 0.5, step = 0 }", "step must be above 0"),
        ("dropout = { low = 0.1, high = 0.5, step = inf }", "step must be above 0"),
        ("dropout = [0, 0.0]", "no two alike"),
        ("epochs = { low = 20.0, high = 100.0 }", "accepted: whole numbers"),
        ("epochs = { low = 20, high = 100, step = 0.5 }", "accepted: whole numbers"),
        ("depth = [1]\nwidth = { low = 4.0, high = 8.0 }", "accepted: whole numbers"),
        ("activation = ['sine']", "'sine' is refused"),
        ("activation = { low = 1, high = 2 }", "1 is refused"),
        ("epochs = { low = 0, high = 5 }", "0 is refused"),
        ("blocks = [['walls']]", "is refused"),
        ("depth = [1]", "depth and width stand for hidden; accepted: both or neither"),
        ("depth = [1.5]\nwidth = [8]", "1.5 is no depth"),
        ("width = [0]\ndepth = [1]", "0 is refused"),
        ("dropout = [", "accepted: a TOML file"),
    ],
)
def test_what_is_no_space_is_refused_in_one_line(space_of, tmp_path, text, message):
    with pytest.raises(SettingsError) as refused:
        space_of(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert str(tmp_path / "space.toml") in str(refused.value)
