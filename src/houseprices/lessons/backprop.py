"""Lesson: forward and backward through one hidden layer, each intermediate and gradient by hand."""

from dataclasses import dataclass

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from houseprices.charts import BLUE, INK, ORANGE, PAPER
from houseprices.engine.mlp import Architecture, BatchedMLP, backpropagate
from houseprices.engine.regularization import coupled_decay, dropout, l2_penalty
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

N_ROWS, D_IN, D_HIDDEN = 4, 3, 5


@dataclass(frozen=True)
class Network:
    """Rows, parameters and mask of the lesson, float64.

    Shape:
        x: (N_ROWS, D_IN), y: (N_ROWS, 1)
        w1: (D_IN, D_HIDDEN), b1: (D_HIDDEN,), w2: (D_HIDDEN, 1), b2: (1,)
        m: (N_ROWS, D_HIDDEN), 0 for a dropped unit, else 1 / (1 - rate)
    """

    x: Tensor
    y: Tensor
    w1: Tensor
    b1: Tensor
    w2: Tensor
    b2: Tensor
    m: Tensor
    strength: Tensor


def draw_network(rate: float, strength: float, seed: int) -> Network:
    """Standard normal rows and parameters."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    keep = torch.rand(N_ROWS, D_HIDDEN, generator=generator) >= rate
    kept = torch.ones(N_ROWS, D_HIDDEN, dtype=torch.float64)
    mask = dropout(kept, torch.tensor(rate, dtype=torch.float64), keep)
    return Network(
        x=normal(N_ROWS, D_IN),
        y=normal(N_ROWS, 1),
        w1=normal(D_IN, D_HIDDEN),
        b1=normal(D_HIDDEN),
        w2=normal(D_HIDDEN, 1),
        b2=normal(1),
        m=mask,
        strength=torch.tensor([strength], dtype=torch.float64),
    )


def _flat_weights(network: Network) -> Tensor:
    return torch.cat([network.w1.reshape(1, -1), network.w2.reshape(1, -1)], dim=1)


def forward(network: Network) -> dict[str, Tensor]:
    """Every intermediate, in the order in which it is computed."""
    z = network.x @ network.w1 + network.b1
    a = z.relu()
    h = network.m * a
    o = h @ network.w2 + network.b2
    loss = (o - network.y).square().mean()
    penalty = l2_penalty(_flat_weights(network), network.strength)[0]
    return {"z": z, "a": a, "h": h, "o": o, "L": loss, "s": penalty, "J": loss + penalty}


def backward(network: Network, values: dict[str, Tensor]) -> dict[str, Tensor]:
    """The gradient of J with respect to every intermediate and parameter, from the end to the beginning."""
    one = torch.ones((), dtype=torch.float64)
    o = 2 * (values["o"] - network.y) / N_ROWS
    h = o @ network.w2.T
    a = network.m * h
    z = (values["z"] > 0) * a
    gradients = {
        "J": one,
        "s": one,
        "L": one,
        "o": o,
        "W2": values["h"].T @ o,
        "b2": o.sum(dim=0),
        "h": h,
        "a": a,
        "z": z,
        "W1": network.x.T @ z,
        "b1": z.sum(dim=0),
    }
    for name, weights in (("W2", network.w2), ("W1", network.w1)):
        gradients[name] = coupled_decay(gradients[name], weights, network.strength)
    return gradients


def automatic(network: Network) -> dict[str, Tensor]:
    """The same gradients by torch's automatic differentiation."""
    w1, b1, w2, b2 = (p.clone().requires_grad_(True) for p in (network.w1, network.b1, network.w2, network.b2))
    values = forward(Network(network.x, network.y, w1, b1, w2, b2, network.m, network.strength))
    wanted = {name: values[name] for name in ("J", "s", "L", "o", "h", "a", "z")}
    wanted |= {"W2": w2, "b2": b2, "W1": w1, "b1": b1}
    return dict(zip(wanted, torch.autograd.grad(values["J"], list(wanted.values())), strict=True))


def by_engine(network: Network, rate: float) -> dict[str, Tensor]:
    """The parameters' gradients by the engine, which computes in float32 and for a batch of members at once."""
    architecture = Architecture(D_IN, (D_HIDDEN,), "relu", linear_path=False)
    parameters = torch.cat([_flat_weights(network)[0], network.b1, network.b2]).float()[None]
    mlp = BatchedMLP(architecture, parameters=parameters)
    x, y, rate_of_member = network.x.float()[None], network.y.float()[None], torch.tensor([[[rate]]])
    gradient = backpropagate(mlp, x, lambda output: 2 * (output - y) / N_ROWS, rate_of_member, [network.m[None] > 0])
    weights = gradient[:, : architecture.n_weights]
    weights.copy_(coupled_decay(weights, mlp.weights, network.strength.float()))
    parts = BatchedMLP(architecture, parameters=gradient)
    (w1, w2), (b1, b2) = parts.matrices(), parts.biases()
    return {"W1": w1[0], "b1": b1[0, 0], "W2": w2[0], "b2": b2[0, 0]}


def backprop_lesson(rate: float = 0.5, strength: float = 0.1, seed: int = 0) -> Lesson:
    """Forward, backward, the graph, and the comparison.

    Raises:
        SettingsError: the rate is outside [0, 1], or the strength is negative or not finite.
    """
    require(0 <= rate <= 1, "dropout rate", "in [0, 1]", rate)
    require(0 <= strength < float("inf"), "lambda", "in [0, inf)", strength)
    require(seed >= 0, "seed", "0 or more", seed)
    network = draw_network(rate, strength, seed)
    values = forward(network)
    gradients = backward(network, values)
    blocks: list[Block] = [
        Heading("Forward"),
        Paragraph(
            f"A network small enough to write down: {N_ROWS} rows with {D_IN} inputs, one hidden layer of {D_HIDDEN} "
            f"ReLU units with dropout at rate {rate:g}, one output, squared error, L2 penalty of λ = {strength:g} on "
            "the weights. The mask $m$ is 0 for a dropped unit, else $1/(1 − p)$; ⊙ multiplies number by number. What "
            "is minimised, $J$, is the loss $L$ plus the penalty $s$."
        ),
        Formula(
            r"z = x W_1 + b_1, \quad a = \max(z, 0), \quad h = m \odot a, \quad o = h W_2 + b_2",
            "z = x W1 + b1;  a = max(z, 0);  h = m ⊙ a;  o = h W2 + b2",
        ),
        Formula(
            r"L = \dfrac{1}{n} \|o - y\|^2, \quad s = \dfrac{\lambda}{2} \left( \|W_1\|^2 + \|W_2\|^2 \right), \quad "
            r"J = L + s",
            "L = ‖o − y‖² / n;  s = λ/2 (‖W1‖² + ‖W2‖²);  J = L + s",
        ),
        Chart(
            "graph",
            "The computational graph: values flow to the right, gradients back to the left.",
            _graph(),
            wide=True,
        ),
        Source(forward),
        _value_table(values),
        Heading("Backward"),
        Paragraph(
            "Write $∂o$ for the gradient of $J$ with respect to $o$, and so on. By the chain rule, from $J$ back, each "
            "node of the graph multiplies what comes from its right by its own derivative. Two paths reach each weight "
            "matrix: the loss and the penalty; their gradients add up. What dropout zeroed on the way there gets no "
            "gradient on the way back. ($[z > 0]$ is 1 where it holds and 0 elsewhere.)"
        ),
        Formula(
            r"\partial o = \dfrac{2}{n} (o - y), \quad \partial W_2 = h^\mathsf{T} \partial o + \lambda W_2, \quad "
            r"\partial b_2 = \sum \partial o",
            "∂o = 2/n (o − y);  ∂W2 = hᵀ ∂o + λ W2;  ∂b2 = Σ ∂o",
        ),
        Formula(
            r"\partial h = \partial o \, W_2^\mathsf{T}, \quad \partial a = m \odot \partial h, \quad \partial z "
            r"= [z > 0] "
            r"\odot \partial a",
            "∂h = ∂o W2ᵀ;  ∂a = m ⊙ ∂h;  ∂z = [z > 0] ⊙ ∂a",
        ),
        Formula(
            r"\partial W_1 = x^\mathsf{T} \partial z + \lambda W_1, \quad \partial b_1 = \sum \partial z",
            "∂W1 = xᵀ ∂z + λ W1;  ∂b1 = Σ ∂z",
        ),
        Source(backward),
        *_comparison(network, rate, gradients),
    ]
    return Lesson(
        "backprop",
        "Forward and backward propagation",
        "How does a network with a penalty and dropout get the gradient of each of its weights?",
        "the two paths on which a gradient reaches a weight matrix, and what the mask does on the way back.",
        blocks,
        _exercises(seed),
        following="since",
        given={"--seed": seed},
    )


def _exercises(seed: int) -> list[Exercise]:
    def gradients_at(rate: float, strength: float) -> tuple[Network, dict[str, Tensor]]:
        network = draw_network(rate, strength, seed)
        return network, backward(network, forward(network))

    network, all_dropped = gradients_at(1.0, 0.1)
    apart = max(_gap(all_dropped[name], 0.1 * weights) for name, weights in (("W1", network.w1), ("W2", network.w2)))
    _, without = gradients_at(0.5, 0.0)
    _, decayed = gradients_at(0.5, 0.1)
    return [
        Exercise(
            "Which gradients are left if every hidden unit is dropped?",
            "lesson backprop --rate 1",
            f"Those of the penalty, λ W (they differ from it by {apart:.1g}), and that of the last bias: the output is "
            f"that bias alone. The first layer's biases get {float(all_dropped['b1'].abs().max()):g}.",
        ),
        Exercise(
            "By how much does ∂W2 change between λ = 0 and λ = 0.1? Check it by hand for one weight.",
            "lesson backprop --lambda 0",
            "By 0.1 W2, since the two paths add up: the largest change is "
            f"{_gap(decayed['W2'], without['W2']):.3f}, the largest weight {float(network.w2.abs().max()):.2f}.",
        ),
        Exercise(
            "∂z is zero at some units that were not dropped. Why, and what does that do to their weights?",
            f"lesson backprop --rate 0 --seed {seed + 1}",
            "There z is negative and ReLU flat: the loss does not feel a small change of z. For such a row the unit's "
            "weights learn nothing; only decay moves them.",
        ),
    ]


_FORMULAS = {
    "z": "x W1 + b1",
    "a": "max(z, 0)",
    "h": "m ⊙ a",
    "o": "h W2 + b2",
    "L": "‖o − y‖² / n",
    "s": "λ/2 (‖W1‖² + ‖W2‖²)",
    "J": "L + s",
}
_DERIVATIVES = {
    "J": "1",
    "s": "1",
    "L": "1",
    "o": "2/n (o − y)",
    "W2": "hᵀ ∂o + λ W2",
    "b2": "Σ ∂o",
    "h": "∂o W2ᵀ",
    "a": "m ⊙ ∂h",
    "z": "[z > 0] ⊙ ∂a",
    "W1": "xᵀ ∂z + λ W1",
    "b1": "Σ ∂z",
}


def _shape(value: Tensor) -> str:
    return " × ".join(map(str, value.shape)) or "number"


def _row(value: Tensor) -> str:
    """The value, or the first row of it."""
    first = value.reshape(-1, value.shape[-1])[0] if value.dim() else value.reshape(1)
    return "  ".join(f"{round(float(number), 3) + 0.0:.3f}" for number in first)  # + 0.0: no "-0.000"


def _value_table(values: dict[str, Tensor]) -> Table:
    rows = [(name, _FORMULAS[name], _shape(value), _row(value)) for name, value in values.items()]
    content = pd.DataFrame(rows, columns=["value", "is", "shape", "first row"])
    return Table("forward", "Every value on the way forward.", content)


def _comparison(network: Network, rate: float, gradients: dict[str, Tensor]) -> list[Block]:
    by_autograd, of_engine = automatic(network), by_engine(network, rate)
    rows = []
    for name, gradient in gradients.items():
        from_engine = f"{_gap(of_engine[name].double(), gradient):.1g}" if name in of_engine else "–"
        rows.append(
            (
                f"∂{name}",
                _DERIVATIVES[name],
                _shape(gradient),
                _row(gradient),
                _gap(by_autograd[name], gradient),
                from_engine,
            )
        )
    columns = ["gradient", "is", "shape", "first row", "autograd differs by", "the engine by"]
    worst = max(_gap(by_autograd[name], gradient) for name, gradient in gradients.items())
    return [
        Table("backward", "Every gradient of J on the way back.", pd.DataFrame(rows, columns=columns), digits=2),
        Paragraph(
            f"By hand and by torch's automatic differentiation (autograd), in float64, no number differs by more than "
            f"{worst:.1g}. The engine, this project's own trainer of many networks at once, computes the same lines in "
            "float32, hence its larger differences."
        ),
        Source(backpropagate),
    ]


def _gap(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


def _graph() -> Figure:
    """Circles are values, squares operations; parameters above and below, the data's way in the middle."""
    figure = Figure(figsize=(9.4, 3.9))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-0.5, 14.9)
    axes.set_ylim(-2.3, 3.3)
    values = {
        "x": (0, 0), "z": (2.6, 0), "a": (4.9, 0), "h": (7.2, 0), "o": (9.6, 0), "L": (11.9, 0), "J": (14, 1.2),
        "W1": (1.3, 2), "b1": (1.3, -1.8), "m": (6.05, -1.8), "W2": (8.4, 2), "b2": (8.4, -1.8), "y": (10.75, -1.8),
        "s": (11.9, 2.4), "λ": (10.2, 2.95),
    }  # fmt: skip
    operations = {
        "× +": (1.3, 0, "x", ("W1", "b1"), "z"),
        "relu": (3.75, 0, "z", (), "a"),
        "⊙": (6.05, 0, "a", ("m",), "h"),
        " × +": (8.4, 0, "h", ("W2", "b2"), "o"),
        "mse": (10.75, 0, "o", ("y",), "L"),
        "½λ‖·‖²": (10.2, 2.0, "W2", ("W1", "λ"), "s"),
        "+": (13, 1.2, "L", ("s",), "J"),
    }
    given = {"x", "y", "m", "λ"}
    arrow = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.0, "shrinkA": 13, "shrinkB": 13}
    for x, y, first, others, result in operations.values():
        for name in (first, *others):
            bent = arrow | {"connectionstyle": "arc3,rad=-0.28"} if (name, result) == ("W1", "s") else arrow
            axes.annotate("", (x, y), values[name], arrowprops=bent)
        axes.annotate("", values[result], (x, y), arrowprops=arrow)
    for name, (x, y) in values.items():
        colour = BLUE if name in given else ORANGE if name[0] in "Wb" else INK
        style = {"boxstyle": "circle,pad=0.32", "facecolor": PAPER, "edgecolor": colour, "linewidth": 1.6}
        axes.text(x, y, name, ha="center", va="center", color=colour, bbox=style)
    for name, (x, y, *_) in operations.items():
        style = {"boxstyle": "square,pad=0.3", "facecolor": PAPER, "edgecolor": INK, "linewidth": 1.0}
        axes.text(x, y, name.strip(), ha="center", va="center", fontsize=9, bbox=style)
    for place, (colour, text) in enumerate(((BLUE, "given"), (ORANGE, "learnt"), (INK, "computed"))):
        axes.text((11.5, 12.5, 13.5)[place], -1.8, text, color=colour, ha="left", va="center", fontsize=9)
    return figure
