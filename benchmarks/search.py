"""The search beside plain Optuna with one looped PyTorch model a trial: trials a minute, and what equal time brings.

    python benchmarks/search.py [--data data/raw] [--seconds 300] [--seeds 3] [--trials 16] [--json]

Both train one network a half on the gate's twenty halves, of the same space and on the same columns. First the same
trials are timed in both. Then each searches for the same seconds: `houseprices tune`, and random search in a loop; the
score of the best trial of each is corrected for the choice, and the interval of their difference is over seeds of the
search. The loop indexes batches out of tensors and takes torch's fused optimiser, and as many threads as it is faster
with.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from houses import find_houses
from loops import TextbookNetwork
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor, nn

from houseprices.cross_validation.fold_training import FoldData
from houseprices.cross_validation.workers import open_executor
from houseprices.data.schema import PRICE
from houseprices.engine.losses import N_OUTPUTS
from houseprices.engine.optimizer import schedule_factor
from houseprices.preprocessing.columns import DEFAULT_BLOCKS
from houseprices.preprocessing.houses import house_array
from houseprices.selection.corrected import corrected_score, lowest
from houseprices.selection.gate import by_halving, halvings
from houseprices.selection.held_out import fit_sets
from houseprices.selection.search import Halves, search
from houseprices.selection.search_journal import open_journal
from houseprices.selection.search_space import Space, read_space
from houseprices.settings import ModelSettings, Settings

Floats = NDArray[np.float64]


def main() -> None:
    """Measure, print, or print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=16, help="that are timed in both")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    data = None if arguments.data is None else arguments.data.resolve()
    with tempfile.TemporaryDirectory() as folder, chdir(folder if data else "."):
        found = measure(data, arguments.seconds, arguments.seeds, arguments.trials)
    print(json.dumps(found) if arguments.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


def measure(data: Path | None, seconds: float, n_seeds: int, n_trials: int) -> dict[str, Any]:
    """All figures."""
    houses, space = find_houses(data), read_space()
    sets = halvings(len(houses.log_price))
    array = house_array(houses.train.drop(columns=PRICE))
    folds = fit_sets(Settings().features, space.blocks.union(DEFAULT_BLOCKS), array, houses.log_price, sets)
    halves = Halves(folds, sets, houses.log_price, 0)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    models = [group for _, group in zip(range(n_trials), random_groups(space, 0), strict=False)]
    with open_executor(Settings()) as executor:
        ours = _seconds(lambda: list(halves.predict(models, executor, lambda _n_networks: None)))
    looped(models[0], folds[:1], 1)  # what is loaded once
    threads = min((1, torch.get_num_threads()), key=lambda n: _seconds(lambda: looped(models[0], folds[:4], n)))
    loop = _seconds(lambda: [looped(group, folds, threads) for group in models])
    found: dict[str, Any] = {
        "trials_per_minute": 60 * n_trials / ours,
        "trials_per_minute_in_a_loop": 60 * n_trials / loop,
        "ratio": loop / ours,
        "loop_threads": threads,
    }
    rows = []
    for seed in range(n_seeds if seconds else 0):
        with tempfile.TemporaryDirectory() as folder:
            storage = Path(folder) / "search.journal"
            start = time.time()
            searched = search(data, Settings(seed=seed), space, 100_000, storage=storage, timeout=seconds, n_kept=1)
            with open_journal(storage, {}, to_read=True) as journal:
                spent = (
                    max(trial.datetime_complete.timestamp() for trial in journal.study.trials if trial.value) - start
                )
        predictions = random_search(space, folds, halves, seed, spent, threads)
        corrected, _ = corrected_score(predictions, houses.log_price, lowest(predictions, houses.log_price))
        rows.append((searched.corrected.whole, corrected.whole, searched.corrected.bulk, corrected.bulk))
        found[f"seed_{seed}"] = {
            "seconds": spent,
            "trials": searched.n_trials,
            "trials_in_a_loop": len(predictions),
            **dict(zip(("corrected", "corrected_loop", "bulk", "bulk_loop"), rows[-1], strict=True)),
        }
    if len(rows) > 1:
        of = np.array(rows)
        for name, difference in (("whole", of[:, 0] - of[:, 1]), ("bulk", of[:, 2] - of[:, 3])):
            half = stats.t.ppf(0.975, len(rows) - 1) * stats.sem(difference)
            found[f"difference_{name}"] = [difference.mean(), difference.mean() - half, difference.mean() + half]
    return found


def random_groups(space: Space, seed: int) -> Iterator[ModelSettings]:
    """Random trials of the space, without end."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    while True:
        yield space.suggest(study.ask(), ModelSettings())


def random_search(
    space: Space, folds: list[FoldData], halves: Halves, seed: int, seconds: float, threads: int
) -> Floats:
    """What random trials predict, (n_trials, n_halvings, n_rows), one after another until the seconds are over."""
    end = time.monotonic() + seconds
    predictions = []
    for group in random_groups(space, 1000 + seed):
        prediction = by_halving(halves.sets, looped(group, folds, threads))
        predictions += [prediction] if np.isfinite(prediction).all() else []
        if time.monotonic() > end:
            return np.stack(predictions)
    raise AssertionError


def looped(group: ModelSettings, folds: list[FoldData], threads: int) -> list[Floats]:
    """Log prices (n_held_out,) of each fold by a model of its own, trained in a loop."""
    torch.set_num_threads(threads)
    found = []
    for data in folds:
        columns = data.live_columns(group.blocks)
        matrix = torch.from_numpy(np.ascontiguousarray(data.matrix[:, columns]))
        rows, held_out = torch.from_numpy(data.training), torch.from_numpy(data.held_out)
        model = train(matrix[rows], torch.from_numpy(data.targets)[rows], group)
        with torch.no_grad():
            output = model(matrix[held_out]).reshape(len(held_out), -1)[:, 0]
        found.append(data.log_price_mean + data.log_price_std * output.double().numpy())
    return found


def train(inputs: Tensor, targets: Tensor, of: ModelSettings) -> nn.Module:
    """One network of the group."""
    torch.manual_seed(0)
    model = TextbookNetwork(inputs.shape[1], of, N_OUTPUTS[of.loss])
    weights = [value for name, value in model.named_parameters() if name.endswith("weight")]
    biases = [value for name, value in model.named_parameters() if name.endswith("bias")]
    kind = torch.optim.AdamW if of.decay_kind == "decoupled" else torch.optim.Adam
    models = [{"params": weights, "weight_decay": of.weight_decay}, {"params": biases, "weight_decay": 0.0}]
    optimizer = kind(models, lr=of.learning_rate, fused=True)
    n_batches = max(1, round(len(inputs) / of.batch_size))
    n_steps = of.epochs * n_batches
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: schedule_factor(of.schedule, step, n_steps))
    loss_of = LOSSES[of.loss]
    for _ in range(of.epochs):
        for rows in torch.randperm(len(inputs)).chunk(n_batches):
            optimizer.zero_grad()
            loss_of(model(inputs[rows]), targets[rows], of).backward()
            optimizer.step()
            schedule.step()
    return model.train(mode=False)


def _gaussian(output: Tensor, target: Tensor, _of: ModelSettings) -> Tensor:
    return nn.functional.gaussian_nll_loss(output[:, 0], target, (2 * output[:, 1]).exp())


def _student_t(output: Tensor, target: Tensor, _of: ModelSettings) -> Tensor:
    return (
        -torch.distributions.StudentT(4.0, output[:, 0], output[:, 1].exp(), validate_args=False)
        .log_prob(target)
        .mean()
    )


def _huber(output: Tensor, target: Tensor, of: ModelSettings) -> Tensor:
    return nn.functional.huber_loss(output, target, delta=of.huber_delta)


LOSSES: dict[str, Callable[[Tensor, Tensor, ModelSettings], Tensor]] = {
    "huber": _huber,
    "gaussian": _gaussian,
    "student_t": _student_t,
}


def _seconds(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
