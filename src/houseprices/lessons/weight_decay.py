"""Lesson: linear regression with ten times more inputs than rows, with and without weight decay."""

import numpy as np
import pandas as pd

from houseprices.charts import INK, line_style, log_ticks, new_chart
from houseprices.lessons.adam_decay import adam_section
from houseprices.lessons.content import (
    Block,
    Chart,
    Exercise,
    Formula,
    Heading,
    Lesson,
    Paragraph,
    Source,
    Table,
    require,
)
from houseprices.lessons.regression import (
    BATCH_SIZE,
    D_IN,
    EVALUATE_EVERY,
    LEARNING_RATE,
    N_EPOCHS,
    N_TEST,
    N_TRAINING,
    NOISE,
    TRUE_BIAS,
    TRUE_WEIGHT,
    Problem,
    Trained,
    draw_problem,
    read_batches,
    train_concisely,
    train_from_scratch,
)
from houseprices.lessons.sweep_chart import plot_sweep

_SWEEP = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


def weight_decay_lesson(strength: float = 3.0, seed: int = 0) -> Lesson:
    """Overfitting at strength 0 and none at `strength`; the sweep; coupled against decoupled decay.

    Raises:
        SettingsError: the strength is negative, not finite, or too large for the learning rate.
    """
    largest = 1 / LEARNING_RATE
    require(0 <= strength <= largest, "lambda", f"in [0, {largest:.0f}] (1 / learning rate)", strength)
    require(seed >= 0, "seed", "0 or more", seed)
    problem = draw_problem(seed)
    without, decayed = train_from_scratch(problem, 0.0), train_from_scratch(problem, strength)
    sweep = {decay: train_from_scratch(problem, decay) for decay in _SWEEP}
    blocks: list[Block] = [
        Heading("The problem"),
        Paragraph(
            f"{N_TRAINING} training rows with {D_IN} inputs each: a linear model can fit them in endlessly many ways, "
            f"and nothing in the data says which is right. The truth is $y = {TRUE_BIAS} + Σ {TRUE_WEIGHT} x + ε$ with "
            f"noise ε of size {NOISE}; the true weights' L2 norm is {TRUE_WEIGHT * D_IN**0.5:.2f}. The weights begin "
            f"at random, drawn from the standard normal distribution, and are trained by SGD in batches of "
            f"{BATCH_SIZE}, {N_EPOCHS} epochs, learning rate {LEARNING_RATE}. {N_TEST} further rows, the test rows, "
            "are never trained on. A model that does well on the training rows and badly on the test rows overfits."
        ),
        Paragraph(
            "What holds a model back from that is called a regulariser. Weight decay, also called L2 regularisation, "
            "adds a penalty to the loss:"
        ),
        Formula(
            r"L(w, b) = \dfrac{1}{n} \sum_{i=1}^{n} \dfrac{1}{2} \left( w^\mathsf{T} x_i + b - y_i \right)^2 + "
            r"\dfrac{\lambda}{2} \|w\|_2^2",
            "L(w, b) = mean of ½ (wᵀx + b − y)² + λ/2 ‖w‖²",
        ),
        Paragraph(
            "The bias $b$ is not in the penalty: it shifts all predictions alike and cannot learn a row by heart. A "
            "step of SGD at learning rate $η$, with the gradient $g$ of the mean, now shrinks the weights first, "
            "hence the name:"
        ),
        Formula(r"w \leftarrow (1 - \eta \lambda) \, w - \eta \, g", "w ← (1 − ηλ) w − η g"),
        Heading("From scratch"),
        Paragraph("The penalty in the loss, the step by hand; `problem.batches` holds the rows of each step:"),
        Source(train_from_scratch, folded=False),
        *_curves(without, decayed, strength),
        Heading("Concise"),
        *_comparison(problem, without, decayed, strength),
        Heading("Which step is meant?"),
        *_divided(problem, strength),
        Heading("How much is enough?"),
        *_sweep(problem, sweep),
        Heading("Coupled and decoupled decay under Adam"),
        *adam_section(problem),
    ]
    return Lesson(
        "weight-decay",
        "Weight decay",
        "Why does a model with more inputs than rows fail on new rows, and how does shrinking its weights help?",
        "the gap between the losses on rows trained on and on others, and the norm of the weights beside the true one.",
        blocks,
        _exercises(problem, sweep),
        following="dropout",
        given={"--seed": seed},
    )


def _curves(without: Trained, decayed: Trained, strength: float) -> list[Block]:
    epochs = np.arange(EVALUATE_EVERY, N_EPOCHS + 1, EVALUATE_EVERY)
    charts: list[Block] = []
    content = pd.DataFrame({"epoch": epochs})
    both = {0.0: without, strength: decayed}
    low = min(float(trained.curves.min()) for trained in both.values())
    high = max(float(trained.curves.max()) for trained in both.values())
    for place, (decay, trained) in enumerate(((0.0, without), (strength, decayed))):
        figure, axes = new_chart("epoch", "loss")
        for index, part in enumerate(("training", "test")):
            loss = trained.curves[:, 0, index].numpy()
            axes.semilogy(epochs, loss, label=part, **line_style(index), marker=".")
            content[f"{part} loss, lambda {decay:g}"] = loss
        axes.set_ylim(max(low, 1e-16) / 2, high * 2)
        log_ticks(axes.yaxis)
        axes.legend()
        name = "with" if place else "without"
        charts.append(Chart(f"{name}-decay", f"λ = {decay:g}.", figure, content if place else None))
    rows = [
        (f"{decay:g}", *trained.curves[-1, 0].tolist(), float(trained.norms))
        for decay, trained in ((0.0, without), (strength, decayed))
    ]
    table = pd.DataFrame(rows, columns=["λ", "training loss", "test loss", "norm of the weights"])
    (_, train_0, test_0, norm_0), (_, _, test_1, norm_1) = rows
    compared = f"{max(test_0, test_1) / min(test_0, test_1):.0f} times {'lower' if test_1 < test_0 else 'higher'}"
    told = (
        f" At λ = {strength:g} the test loss ends at {test_1:.3g}, {compared}, and the weights' norm at {norm_1:.3g} "
        f"in place of {norm_0:.3g}."
    )
    return [
        Paragraph(
            f"At λ = 0 the training loss falls to {train_0:.1g} while the test loss stays at {test_0:.3g}: the "
            f"rows are learnt by heart, and the weights keep a norm of {norm_0:.3g}.{told if strength else ''}"
        ),
        *charts,
        Table("losses", f"After {N_EPOCHS} epochs, on the rows drawn above.", table, digits=3),
    ]


def _comparison(problem: Problem, without: Trained, decayed: Trained, strength: float) -> list[Block]:
    doubled = train_concisely(problem, strength, half=False)
    same = train_concisely(problem, strength / 2, 2 * LEARNING_RATE)
    with_bias = train_concisely(problem, strength, decay_bias=True)
    rows = [
        ("half the squared error, λ = 0", _distance(without, train_concisely(problem, 0.0))),
        (f"half the squared error, λ = {strength:g}", _distance(decayed, train_concisely(problem, strength))),
        (f"torch's MSELoss as it is, λ = {strength:g}", _distance(decayed, doubled)),
        ("MSELoss as it is, against half at twice the rate and λ/2", _distance(doubled, same)),
        (f"the bias decayed too, λ = {strength:g}", _distance(decayed, with_bias)),
    ]
    return [
        Paragraph(
            "The same with torch's own parts: `nn.Linear` holds weights and bias, `nn.MSELoss` is the mean squared "
            "error, and the optimiser `torch.optim.SGD`, which makes the steps, decays by itself: its `weight_decay` "
            "adds λ times the weight to the gradient. Parameters stand in two groups, so that the bias is not decayed:"
        ),
        Source(train_concisely, folded=False),
        Paragraph(
            "Here batches come as the textbook reads them, from a `DataLoader` over tensors. This project's own way "
            "is the one in the code from scratch: a tensor with the row numbers of every step, drawn beforehand, "
            "which indexes the inputs. It costs no Python loop over rows, and several trainings can share it; here "
            "the row numbers were read through the same loader:"
        ),
        Source(read_batches, folded=False),
        Paragraph(
            "So both trainings begin alike and see the same batches, and must end alike. Two slips that a reader of "
            "the textbook can meet show up beside it. It has two squared losses: from scratch $½ (ŷ − y)²$, in "
            "`nn.MSELoss` without the half; the data's gradient is then twice as large, so that the same λ counts "
            "half. And in one of its versions a comment promises that the bias is not decayed, above an optimiser "
            "that is given all parameters and one `weight_decay`: there the bias is decayed. Here it would end at "
            f"{float(with_bias.biases):.4f} in place of {float(decayed.biases):.4f}; the truth is {TRUE_BIAS}."
        ),
        Table(
            "from-scratch-and-concise",
            "Largest difference of any weight or bias from the training from scratch, at the end.",
            pd.DataFrame(rows, columns=["concise training", "largest difference"]),
            digits=2,
        ),
    ]


def _distance(one: Trained, other: Trained) -> float:
    return max(float((one.weights - other.weights).abs().max()), float((one.biases - other.biases).abs().max()))


def _divided(problem: Problem, strength: float) -> list[Block]:
    rows = []
    for what, divisor in (
        ("mean loss + λ/2 ‖w‖², as here and in the textbook", 1),
        ("(sum of the batch's losses + λ/2 ‖w‖²) / batch size", BATCH_SIZE),
        ("mean loss + λ/(2n) ‖w‖²", N_TRAINING),
    ):
        trained = train_from_scratch(problem, strength / divisor)
        shrinks = 1 - LEARNING_RATE * strength / divisor
        rows.append((what, divisor, f"{shrinks:.5f}", float(trained.norms), float(trained.curves[-1, 0, 1])))
    columns = ["what is minimised", "λ is divided by", "a step shrinks by", "norm of the weights", "test loss"]
    return [
        Paragraph(
            "Other texts write the same words and mean another step. Some sum the batch's losses, add the penalty "
            "once, and divide both by the batch size: the penalty's gradient is divided too. Some books write "
            f"$λ/(2n)$ with the number $n$ of training rows. The same λ = {strength:g} then means a decay that is "
            f"{BATCH_SIZE} or {N_TRAINING} times weaker. (The textbook's own loop from scratch sums and divides as "
            "well, but adds the penalty to every row's loss, which comes to the first line.) Before you copy a λ, "
            "ask by which factor one step shrinks a weight:"
        ),
        Table("divided", f"λ = {strength:g} in three conventions.", pd.DataFrame(rows, columns=columns), digits=3),
    ]


def _sweep(problem: Problem, sweep: dict[float, Trained]) -> list[Block]:
    training, test = np.array([trained.curves[-1, 0].numpy() for trained in sweep.values()]).T
    norm = np.array([float(trained.norms) for trained in sweep.values()])
    content = pd.DataFrame({"lambda": _SWEEP, "training loss": training, "test loss": test, "norm": norm})
    of_losses, axes = new_chart("λ", "loss")
    plot_sweep(axes, _SWEEP, {"training": training, "test": test})
    of_norms, axes = new_chart("λ", "norm of the weights")
    plot_sweep(axes, _SWEEP, {"learnt": norm})
    axes.axhline(TRUE_WEIGHT * D_IN**0.5, color=INK, linewidth=0.8, linestyle=":")
    axes.annotate("true", (1, TRUE_WEIGHT * D_IN**0.5), xycoords=("axes fraction", "data"), ha="right", va="bottom")
    best = int(test.argmin())
    of_bias = float(0.5 * (problem.test_targets - problem.targets.mean()).square().mean())
    beyond = (
        "Beyond it the weights are held below the truth: the model underfits, it is too stiff even for the training "
        "rows. "
        if best + 1 < len(_SWEEP)
        else "More was not tried. "
    )
    return [
        Paragraph(
            f"The same start, batches and rows for {len(_SWEEP)} strengths. The test loss is lowest at "
            f"λ = {_SWEEP[best]:g} ({test[best]:.3g}). {beyond}A model of the bias alone, all weights zero, has "
            f"{of_bias:.3g}: {N_TRAINING} rows tell little of {D_IN} weights, and what decay wins is above all that it "
            "takes away what they do not tell. (To choose λ by the test loss, as here, flatters "
            "it: in earnest one chooses on rows that are neither training nor test rows, as the last lesson does.)"
        ),
        Chart("sweep-loss", "Loss after the training.", of_losses, content),
        Chart("sweep-norm", "Norm of the learnt weights.", of_norms),
    ]


def _exercises(problem: Problem, sweep: dict[float, Trained]) -> list[Exercise]:
    def test_loss(trained: Trained) -> float:
        return float(trained.curves[-1, 0, 1])

    other = draw_problem(problem.seed + 1)
    of_other = [test_loss(train_from_scratch(other, decay)) for decay in (0.0, 3.0)]
    strong = sweep[300.0]
    return [
        Exercise(
            "What becomes of training loss, test loss and norm at λ = 300?",
            "lesson weight-decay --lambda 300",
            f"Training loss {float(strong.curves[-1, 0, 0]):.3g}, test loss {test_loss(strong):.3g}, norm "
            f"{float(strong.norms):.2g}: each step leaves {1 - LEARNING_RATE * 300:.1g} of a weight, so that hardly "
            "more than the bias is learnt.",
        ),
        Exercise(
            "Was the gain luck? Draw other rows, another start and another order.",
            f"lesson weight-decay --seed {problem.seed + 1}",
            f"With the next seed the test loss is {of_other[0]:.3g} at λ = 0 and {of_other[1]:.3g} at λ = 3.",
        ),
        Exercise(
            "The training loss at λ = 0 is all but zero. Why is the test loss not?",
            "lesson weight-decay --lambda 0",
            f"{N_TRAINING} rows fix {N_TRAINING} directions of the {D_IN}-dimensional weight vector, and gradient "
            "descent moves in these alone. In all others the weights stay at their random start: the norm is still "
            f"{float(sweep[0.0].norms):.3g}, where {D_IN} standard normal numbers have about {D_IN**0.5:.3g}. Nothing "
            "but decay ever takes these away.",
        ),
    ]
