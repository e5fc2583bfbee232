"""Write docs/tables.md from the tables of the native core: ``python docs/make_tables.py``.

tests/test_package.py compares the file with what this gives, so it cannot go stale.
"""

from pathlib import Path

from cnn_core._optimizer import optimizer_names, optimizer_settings

from cnn_core import LBFGS, _activations, _cpu, _losses

FORMULAS = {
    "identity": "z", "step": "1 if z > 0, else 0", "sign": "1 if z > 0, else -1", "sigmoid": "1 / (1 + e^-z)",
    "tanh": "tanh z", "relu": "max(0, z)", "leaky_relu": "z if z > 0, else negative_slope z",
    "elu": "z if z > 0, else alpha (e^z - 1)", "selu": "1.0507 z if z > 0, else 1.7581 (e^z - 1)",
    "gelu": "z Phi(z), the normal distribution", "gelu_tanh": "z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3)))",
    "softplus": "log(1 + e^z)", "swish": "z sigmoid(z)", "mish": "z tanh(softplus(z))",
    "hard_sigmoid": "min(1, max(0, z/6 + 1/2))", "hard_swish": "z hard_sigmoid(z)", "exp": "e^z",
    "softmax": "e^(z_i) / sum_k e^(z_k)",
}  # fmt: skip
COSTS = {
    "mse": "1/2 sum (a - y)^2", "mae": "sum abs(a - y)", "huber": "sum of e^2/2 up to delta, delta (abs(e) - delta/2) beyond",
    "binary_crossentropy": "- sum y log a + (1 - y) log(1 - a)", "categorical_crossentropy": "- sum y log a",
    "sparse_categorical_crossentropy": "- log a_label", "poisson": "sum a - y log a", "hinge": "sum max(0, 1 - y a)",
    "perceptron": "sum of abs(z) over wrong outputs",
}  # fmt: skip


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def number(parameter, standard):
    return f"{parameter} = {standard:g}" if parameter else ""


def bounds(low, high):
    if low == float("-inf"):
        return "any"
    return f"{low:g} to {high:g}" if high != float("inf") else f"at least {low:g}"


def text():
    numbers = _activations.parameters()
    activations = [
        (f"`{name}`", FORMULAS[name], number(*numbers.get(name, (None, 0))))
        for name in _activations.names()
    ]
    losses = [
        (
            f"`{name}`",
            COSTS[name],
            ", ".join(f"`{o}`" for o in row.outputs) or "any",
            "class indices" if row.sparse else bounds(row.low, row.high),
            number(row.parameter, row.standard),
        )
        for name, row in _losses.table().items()
    ]
    optimizers = [(f"`{name}`", ", ".join(optimizer_settings(name))) for name in optimizer_names()]
    optimizers.append(("`lbfgs`", ", ".join(LBFGS().settings())))
    functions = [(f"`{name}`", f"{limit:g}") for name, limit in _cpu.functions().items()]
    return "\n\n".join([
        "# What there is",
        "Written by docs/make_tables.py from the tables in cnn_core/kernels (L-BFGS from its class).",
        "## Activations", table(("name", "f(z)", "number"), activations),
        "## Losses",
        "Cost of one row; the cost of a mini-batch is the (weighted) mean. Cross-entropies, poisson and perceptron are "
        "computed from z of the last layer, so that no logarithm of 0 can occur.",
        table(("name", "cost", "output", "targets", "number"), losses),
        "## Optimizers", "The rules and their papers: `help(cnn_core.optimizers)`.",
        table(("name", "settings"), optimizers),
        "## Functions", "Largest error allowed, in units in the last place; the tests hold the core to it.",
        table(("name", "ulp"), functions),
    ]) + "\n"  # fmt: skip


if __name__ == "__main__":
    Path(__file__).with_name("tables.md").write_text(text())
