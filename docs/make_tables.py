"""Write the generated parts of the pages: ``python docs/make_tables.py``.

A generated part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``. Names, numbers
and bounds come from the tables of the native core; rules, sources and defaults from the docstrings
of the public classes. tests/test_docs.py fails where a page and its source differ.
"""

import inspect
import re
from pathlib import Path

import numpy as np

from cnn_core import _activations, _cpu, _losses, optimizers, schedules

#: f(z), f'(z) as the kernels compute it (from a where a is enough), source
FORMULAS = {
    "identity": ("$z$", "1", ""),
    "step": ("1 if $z > 0$, else 0", "0", "Rosenblatt 1958"),
    "sign": ("1 if $z > 0$, else -1", "0", "Rosenblatt 1958"),
    "sigmoid": (r"$1 / (1 + e^{-z})$", r"$a (1 - a)$",
                "Rumelhart, Hinton & Williams 1986, eq. 2"),
    "tanh": (r"$\tanh z$", "$1 - a^2$", "LeCun et al. 1998, section 4.4"),
    "relu": (r"$\max(0, z)$", "1 if $a > 0$, else 0",
             "Nair & Hinton 2010; Glorot, Bordes & Bengio 2011"),
    "leaky_relu": ("$z$ if $z > 0$, else `negative_slope` $z$",
                   "1 if $a > 0$, else `negative_slope`", "Maas, Hannun & Ng 2013"),
    "elu": (r"$z$ if $z > 0$, else $\alpha (e^z - 1)$", r"1 if $a > 0$, else $a + \alpha$",
            "Clevert, Unterthiner & Hochreiter 2016, eq. 15"),
    "selu": ("$1.0507 z$ if $z > 0$, else $1.7581 (e^z - 1)$",
             "1.0507 if $a > 0$, else $a + 1.7581$", "Klambauer et al. 2017, eq. 2 and 14"),
    "gelu": (r"$z \Phi(z)$", r"$\Phi(z) + z \varphi(z)$", "Hendrycks & Gimpel 2016"),
    "gelu_tanh": (r"$z s$ with $s = \sigma(u),$ $u = 2 \sqrt{2/\pi} (z + 0.044715 z^3)$",
                  "$s + z s (1 - s) u'$", "Hendrycks & Gimpel 2016, the approximation by tanh"),
    "softplus": (r"$\log(1 + e^z)$", "$1 - e^{-a}$", "Dugas et al. 2001"),
    "swish": (r"$z s$ with $s = \sigma(z)$", "$s + z s (1 - s)$",
              "Elfwing, Uchibe & Doya 2018 (SiLU); Ramachandran, Zoph & Le 2017"),
    "mish": (r"$z \tanh(\log(1 + e^z)) = z n / (n + 2)$ with $n = e^z (e^z + 2)$",
             "$n / (n + 2) + 4 z e^z (1 + e^z) / (n + 2)^2$", "Misra 2020"),
    "hard_sigmoid": (r"$\min(1, \max(0, (z + 3) / 6))$", "1/6 if $0 < a < 1$, else 0",
                     "Howard et al. 2019, section 5.2"),
    "hard_swish": (r"$z \min(1, \max(0, (z + 3) / 6))$",
                   r"0 if $z \leq -3$, 1 if $z \geq 3$, else $z/3 + 1/2$",
                   "Howard et al. 2019, section 5.2"),
    "exp": ("$e^z$", "$a$", "Nelder & Wedderburn 1972: the inverse of the logarithmic link"),
    "softmax": (r"$e^{z_i} / \sum_k e^{z_k}$", "$da_i/dz_j = a_i ([i = j] - a_j)$", "Bridle 1990"),
}  # fmt: skip

#: cost of a row, the derivative that is sent back, source
COSTS = {
    "mse": (r"$\frac{1}{2} \sum (a - y)^2$", "$dC/da = a - y$", ""),
    "mae": (r"$\sum \lvert a - y \rvert$",
            r"$dC/da = \operatorname{sign}(a - y)$, 0 where they are equal", ""),
    "huber": (r"sum of $e^2/2$ where $\lvert e \rvert \leq \delta$, else "
              r"$\delta (\lvert e \rvert - \delta/2)$; $e = a - y$",
              r"$dC/da = \min(\delta, \max(-\delta, e))$", "Huber 1964"),
    "binary_crossentropy": (r"$-\sum y \log a + (1 - y) \log(1 - a)$", "$dC/dz = a - y$",
                            "Solla, Levin & Fleisher 1988"),
    "categorical_crossentropy": (r"$-\sum y \log a$", r"$dC/dz_j = S a_j - y_j,$ $S = \sum y$",
                                 "Bridle 1990"),
    "sparse_categorical_crossentropy": (r"$-\log a_c$", "$dC/dz_j = a_j - [j = c]$", "Bridle 1990"),
    "poisson": (r"$\sum a - y \log a$", "$dC/dz = a - y$", "Nelder & Wedderburn 1972"),
    "hinge": (r"$\sum \max(0, 1 - y a)$", "$dC/da = -y$ if $y a < 1$, else 0",
              "Cortes & Vapnik 1995"),
    "perceptron": (r"$\sum \max(0, z) - y z$", r"$dC/dz = \operatorname{step}(z) - y$",
                   "Rosenblatt 1958"),
    "pinball": (r"sum over the quantiles $q$ of $\tau (y - q)$ where $y > q$, else "
                r"$(\tau - 1) (y - q)$",
                r"$dC/dq = -\tau$ where $y > q$, $1 - \tau$ where $y < q$, through the steps below",
                "Koenker & Bassett 1978"),
    "gaussian_nll": (r"$\frac{1}{2} \sum \log v + (y - m)^2 / v$",
                     r"$dC/dm = (m - y) / v,$ $dC/dv = (1 - (y - m)^2 / v) / (2 v)$, times "
                     r"$v^\beta$",
                     "Nix & Weigend 1994; beta: Seitzer et al. 2022"),
}  # fmt: skip


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def with_number(formula, parameter, default):
    if not parameter:
        return formula
    default = default if isinstance(default, tuple) else f"{default:g}"
    return f"{formula}; {parameter} = {default}"


def bounds(low, high):
    if low == float("-inf"):
        return "any"
    return f"{low:g} to {high:g}" if high != float("inf") else f"at least {low:g}"


def at_zero(name):
    slope = _activations.activation_derivative(name, np.zeros((1, 1)))
    return f"{slope[0, 0]:.5g}" if slope.ndim == 2 else ""


def activation_table():
    numbers = _activations.parameters()
    return table(
        ("name", "$a = f(z)$", "$f'(z)$", "$f'(0)$", "source"),
        [
            (
                f"`{name}`",
                with_number(f, *numbers.get(name, ("", 0))),
                f_prime,
                at_zero(name),
                source,
            )
            for name in _activations.names()
            for f, f_prime, source in [FORMULAS[name]]
        ],
    )


def loss_table():
    rows = []
    for name, row in _losses.table().items():
        cost, derivative, source = COSTS[name]
        outputs = ", ".join(f"`{output}`" for output in row.fused_activations) or "any"
        targets = "class index c" if row.sparse else bounds(row.low, row.high)
        cost = with_number(cost, row.param_name, row.default_param)
        rows.append((f"`{name}`", cost, derivative, outputs, targets, source))
    return table(("name", "$C$ of a row", "sent back", "output", "y", "source"), rows)


def function_table():
    limits = _cpu.functions().items()
    return table(("function", "ulp"), [(f"`{name}`", f"{limit:g}") for name, limit in limits])


def classes_of(module, base):
    """The public classes of a module that users make objects of, in its order."""
    return [
        item
        for name, item in vars(module).items()
        if isinstance(item, type)
        and issubclass(item, base)
        and item is not base
        and item.__module__ == module.__name__
        and not name.startswith("_")
    ]


def parameter_list(text):
    """A Markdown list of a numpydoc section, without ranges and without what says only those."""
    entries = re.findall(r"^(\S[^:\n]*)(?: :.*)?\n((?:    .*\n?)+)", text, re.MULTILINE)
    for names, description in entries:
        about = re.sub(rf"^({RANGE}( and {RANGE})?)[.;,]?\s*", "", " ".join(description.split()))
        if about and not about.startswith("As for"):
            yield f"- {', '.join(f'`{name}`' for name in names.strip().split(', '))}: {about}"


def section(cls):
    """The defaults of a class and its docstring without titles of papers, as Markdown."""
    about, _, parameters = inspect.getdoc(cls).partition("\n\nParameters\n----------\n")
    text = f"{about}\n\n" + "\n".join(parameter_list(parameters))
    text = re.sub(TITLE, "", text).replace("::\n\n", "").replace("``", "`")
    return f"### `{cls()!r}`\n\n{text.rstrip()}"


def optimizer_sections():
    return "\n\n".join(map(section, classes_of(optimizers, optimizers.Optimizer)))


def schedule_sections():
    return "\n\n".join(map(section, classes_of(schedules, schedules.Schedule)))


RANGE = r"(?:[Ii]n [\[(][^)\]]*[)\]]|[Aa]bove \d|[Aa]t least \d)"
TITLE = r',\s"[^"]+"'
PARTS = {
    "activations": activation_table,
    "losses": loss_table,
    "optimizers": optimizer_sections,
    "schedules": schedule_sections,
    "functions": function_table,
}
PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def updated(page):
    """The text of a page with its generated parts made anew."""
    return PART.sub(lambda part: f"{part[1]}{PARTS[part[2]]()}\n{part[3]}", page)


if __name__ == "__main__":
    for path in sorted(Path(__file__).parent.glob("*.md")):
        path.write_text(updated(path.read_text()))
