"""Draw the pictures of the pages: ``python docs/make_pictures.py``, into docs/pictures; with names
of groups, such as ``tutorial``, those alone.

A picture of a tutorial is of what its page computes: the page's examples are run first.

One seed and one version of matplotlib give the same bytes each time. Colours are reduced to a
palette, which keeps the files small. The profile has no picture here: its times differ from run to
run.
"""

import io
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

PAGES = Path(__file__).resolve().parent
FOLDER = PAGES / "pictures"
DPI, COLOURS = 72, 128


def digits() -> Iterator[tuple[str, object]]:
    """Pictures of a classifier of images."""
    from cnn_core.datasets import load_digits, split

    from cnn_core import MLP, Adam, Cosine, plot

    X, y = load_digits()
    X_train, X_test, y_train, y_test = split(X, y, test=0.3, stratify=y, random_state=0)
    rate = dict(optimizer=Adam(0.004), learning_rate=Cosine())
    stop = dict(early_stopping=True, patience=15)
    model = MLP(32, l2=0.0005, epochs=40, random_state=0, **rate, **stop)
    model.fit(X_train, y_train)
    predicted = model.predict(X_test)
    yield "learning_curves", plot.learning_curves(model)
    yield "confusion_matrix", plot.confusion_matrix(model, X_test, y_test)
    yield "first_layer_weights", plot.first_layer_weights(model)
    wrong = np.flatnonzero(predicted != y_test)[:4]
    shown = np.r_[wrong, np.arange(20)]
    yield "images", plot.images(X_test[shown], y_test[shown], predicted[shown])


def spirals() -> Iterator[tuple[str, object]]:
    """Pictures of a classifier of two features."""
    from cnn_core import MLP, plot

    rng = np.random.default_rng(0)
    arm, turn = rng.integers(0, 3, 300), rng.uniform(0, 5, 300)
    angle, radius = turn * 0.7 + arm * 2 * np.pi / 3, 0.4 + turn / 5
    X = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    X += 0.09 * rng.normal(size=X.shape)
    y = np.array(["north", "east", "south"])[arm]
    path = plot.Path()
    model = MLP(
        (8, 6), "tanh", epochs=150, learning_rate=0.02, random_state=0, callbacks=path
    )  # fmt: skip
    model.fit(X, y)
    yield "decision_regions", plot.decision_regions(model, X, y)
    yield "network", plot.network(model)
    yield "layers", plot.layers(model, X, y)
    yield "descent", plot.descent(model, X, y, path.parameters[::3])


def houses() -> Iterator[tuple[str, object]]:
    """Pictures of a regression on a table."""
    from cnn_core import MLP, plot

    rng, n = np.random.default_rng(0), 900
    table = {
        "rooms": rng.normal(5, 1, n).round(1),
        "age": rng.uniform(0, 80, n).round(),
        "quarter": rng.choice(["harbour", "hill", "old town"], n),
        "traffic": rng.uniform(30, 90, n).round(),
        "door": rng.integers(1, 200, n),
    }
    old = np.where(table["quarter"] == "old town", 1.0, -1.5)
    price = 90 * table["rooms"] + old * table["age"] + 70 * (table["quarter"] == "harbour")
    price += 30 * rng.normal(size=n) - 1.5 * table["traffic"]
    parts = [{name: column[rows] for name, column in table.items()}
             for rows in (np.s_[:500], np.s_[500:700], np.s_[700:])]  # fmt: skip
    model = MLP(16, columns="auto", epochs=80, learning_rate=0.005, random_state=0)
    model.fit(parts[0], price[:500]).calibrate(parts[1], price[500:700])
    test, y_test = parts[2], price[700:]
    yield "first_layer_columns", plot.first_layer_weights(model)
    yield "predicted_against_true", plot.predicted_against_true(model, test, y_test)
    yield "importances", plot.importances(model, test, y_test)
    yield "responses", plot.responses(model, test, "age")
    yield "responses_category", plot.responses(model, test, "quarter")


def functions() -> Iterator[tuple[str, object]]:
    """Pictures that need no model."""
    from cnn_core import plot

    yield "activations", plot.activations(("sigmoid", "tanh", "relu", "gelu"))


def computed(page: str) -> dict[str, Any]:
    """The variables after the examples of a page."""
    names: dict[str, Any] = {"__name__": "__main__"}
    text = (PAGES / page).read_text()
    unseen = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, chdir(folder), redirect_stdout(unseen):
        for code in re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            exec(compile(code, page, "exec"), names)
    return names


def getting_started() -> Iterator[tuple[str, object]]:
    """The pictures of the first page."""
    from matplotlib import pyplot

    from cnn_core import plot

    given = computed("getting-started.md")
    pyplot.close("all")
    _, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    plot.importances(given["model"], given["test"], given["test"]["rent"], ax=left)
    plot.predicted_against_true(given["model"], given["test"], given["test"]["rent"], ax=right)
    yield "getting_started", left


def tutorial() -> Iterator[tuple[str, object]]:
    """The pictures of the tutorial."""
    from matplotlib import pyplot

    from cnn_core import plot

    given = computed("tutorial/1-neuron.md")
    yield "neuron", plot.decision_regions(given["smooth"], given["points"], given["side"])
    yield "descent_rates", descent_rates(computed("tutorial/3-descent.md"))
    given = computed("tutorial/5-digits.md")
    wrong = given["wrong"]
    yield (
        "digits_wrong",
        plot.images(given["X_test"][wrong], given["y_test"][wrong], given["predicted"][wrong]),
    )
    given = computed("tutorial/6-what-goes-wrong.md")
    _, ax = pyplot.subplots(figsize=(6, 3.2), layout="constrained")
    for (loss, outputs), style in zip(given["curves"].items(), ("--", "-")):
        ax.plot(outputs, style, label=loss)
    ax.set(xlabel="step", ylabel="a, which should be 0", title="A sigmoid that is sure and wrong")
    ax.legend()
    yield "saturation", ax
    yield "overfitting", plot.learning_curves(given["over"])
    given = computed("tutorial/7-deep.md")
    yield "vanishing", plot.layers(given["deep"], given["X_train"], given["y_train"])


def descent_rates(given: dict[str, Any]) -> object:
    """The parabola C(w), and the steps of three learning rates on it, side by side."""
    from matplotlib import pyplot

    _, axes = pyplot.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
    ways = ((0.01, "too slow"), (0.1, "good"), (0.5, "too large"))
    for ax, (alpha, word) in zip(axes, ways):
        path = np.array(given["paths"][alpha][: 4 if alpha == 0.5 else None])
        w = np.linspace(min(-1, path.min()) - 0.5, max(4, path.max()) + 0.5, 200)
        ax.plot(w, 14 / 6 * (w - 2) ** 2, "0.6")
        ax.plot(path, 14 / 6 * (path - 2) ** 2, "o-")
        ax.set(xlabel="w", title=f"alpha = {alpha:g}: {word}")
    axes[0].set_ylabel("C(w)")
    return axes[0]


def howto() -> Iterator[tuple[str, object]]:
    """The pictures of the how-to pages."""
    from matplotlib import pyplot

    given = computed("howto/imbalance.md")
    yield "threshold", thresholds(given["fraud"], given["y_test"] == 1)
    given = computed("howto/time-windows.md")
    figure, ax = pyplot.subplots(figsize=(8, 3), layout="constrained")
    week, test = slice(0, 7 * 24), given["test"]
    ax.plot(given["target"][test][week], "0.3", label="measured")
    ax.plot(given["predicted"][week], "--", label="network")
    ax.plot(given["now"][test][week], ":", label="as now")
    ax.set(xlabel="hour", ylabel="power, six hours ahead")
    figure.legend(loc="outside upper right", ncols=3)
    yield "forecast", ax
    given = computed("howto/streams.md")
    _, ax = pyplot.subplots(figsize=(8, 2.6), layout="constrained")
    ax.plot(given["errors"], linewidth=0.9)
    ax.axvline(299, color="0.5", linestyle="--")
    ax.set(xlabel="call", ylabel="mean error", title="The sensor changes at the dashed line")
    yield "drift", ax


def thresholds(probability: np.ndarray, rare: np.ndarray) -> object:
    """What a lower threshold finds, and what it costs."""
    from matplotlib import pyplot

    _, ax = pyplot.subplots(figsize=(6, 3.2), layout="constrained")
    limits = np.geomspace(0.01, 0.7, 60)
    alarms = [probability > limit for limit in limits]
    ax.plot(limits, [one[rare].mean() for one in alarms], label="frauds that are found")
    ax.plot(limits, [rare[one].mean() for one in alarms], "--", label="alarms that are frauds")
    ax.set(xscale="log", xlabel="threshold", ylabel="share")
    ax.set_title("A threshold trades one for the other")
    ax.legend()
    return ax


GROUPS: tuple[Callable[[], Iterator[tuple[str, object]]], ...] = (
    digits, spirals, houses, functions, getting_started, tutorial, howto,
)  # fmt: skip


def png(figure: object) -> bytes:
    """A figure as a small PNG file."""
    from PIL import Image

    large, small = io.BytesIO(), io.BytesIO()
    figure.savefig(large, format="png", dpi=DPI)  # type: ignore[attr-defined]
    image = Image.open(large).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(small, format="png", optimize=True)
    return small.getvalue()


def main() -> None:
    """Write the files."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcdefaults()
    from matplotlib import pyplot

    FOLDER.mkdir(exist_ok=True)
    for group in GROUPS:
        if sys.argv[1:] and group.__name__ not in sys.argv[1:]:
            continue
        for name, ax in group():
            content = png(ax.figure)  # type: ignore[attr-defined]
            (FOLDER / f"{name}.png").write_bytes(content)
            pyplot.close(ax.figure)  # type: ignore[attr-defined]
            print(f"{name}.png {len(content):,} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
