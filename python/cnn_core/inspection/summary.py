"""A model in words and numbers: its layers, and what is known of its training."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnn_core._few import counted
from cnn_core._lines import aligned
from cnn_core.causes.begin import constant_targets
from cnn_core.causes.data import STREAMED_BY_CLASS
from cnn_core.causes.network import alike, silent
from cnn_core.causes.training import absent, penalties, rate, stopped
from cnn_core.data.auto_scaling import scaling_words
from cnn_core.diagnosis import diagnose
from cnn_core.evaluation import trained
from cnn_core.functional import Network
from cnn_core.inspection.places import layer_names, parameter_shapes
from cnn_core.inspection.trace import forward
from cnn_core.monitors import MEASURED

if TYPE_CHECKING:
    from cnn_core.columns.columns import Columns
    from cnn_core.mean import MeanModel
    from cnn_core.model import Model

COLUMNS = ("layer", "inputs", "outputs", "activation", "W", "parameters")
WORDS = (0, 3)  # columns that are aligned to the left
#: Of the activations that are looked at, and rows however wide a network is.
NUMBERS, FEWEST = 1 << 22, 300


class Summary(str):
    """A text that an interactive session shows as it is, without quotes; a notebook as a table and
    the lines below it."""

    _rows: Sequence[Sequence[str]] = ()
    _words: Sequence[int] = ()
    _lines: Sequence[str] = ()

    @classmethod
    def of(
        cls, rows: Sequence[Sequence[str]], words: Sequence[int], lines: Sequence[str]
    ) -> "Summary":
        """From a table, whose first row is its head and of which `words` are columns of words, and
        the lines below it."""
        found = cls("\n".join([*aligned(rows, words), *lines]))
        found._rows, found._words, found._lines = rows, words, lines
        return found

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from cnn_core.notebook.html import card, note, table

        if not self._rows:
            return card("Summary", *(note(line) for line in self.splitlines()))
        head, *rows = self._rows
        return card("Summary", table(head, rows, self._words), *map(note, self._lines))


def summary(model: "Model", X: NDArray[Any] | None = None) -> Summary:
    """The layers of a network, one a line, with shapes, parameters and memory; what is known of its
    training; and what its learning curves suggest.

    Parameters
    ----------
    model : Model
    X : ndarray, shape (rows, features), optional
        As the network reads them: for these the hidden units that are always 0 are counted.

    Returns
    -------
    Summary
    """
    network = model.network
    lines = [size(network)]
    if model.columns is not None:
        lines.append(columns_in_words(model.columns))
    lines += scaling_words(model.scaling, model.target_scaling)
    if model.scaling is None:
        lines.append("inputs are read as they are")
    dropout = model.training_spec.dropout
    if any(dropout):
        rates = ", ".join(
            f"{rate:g} of {f'hidden {l}' if l else 'the inputs'}"
            for l, rate in enumerate(dropout)
            if rate
        )
        lines.append(f"dropout in training: {rates}")
    if network.n_layers > 1:
        lines.append(_silent_units(network, X))
    if model.n_epochs:
        lines += [ending(model), last_epoch(model)]
    if model.n_epochs or model.ended:
        y = model.seen.y
        notes = [] if y is None else list(constant_targets(y[0], y[1], model.seen.targets))
        past = trained(model)
        lines.append(diagnose(past, None, lambda general: list(_causes(model, general)), notes))
    return Summary.of(layer_rows(model), WORDS, lines)


def size(network: Network) -> str:
    """How many parameters there are."""
    total = sum(math.prod(shape) for *_, shape in parameter_shapes(network))
    return f"{total:,} parameters of {network.dtype} in {network.parameters.nbytes:,} bytes"


def _silent_units(network: Network, X: NDArray[Any] | None) -> str:
    """How many hidden units are 0 for every row, and so learn nothing."""
    if X is None:
        return "hidden units that are 0 for every row: unknown without rows; summary(X) counts them"
    rows = max(FEWEST, NUMBERS // max(network.widths))
    X = np.ascontiguousarray(X[:: -(-len(X) // rows)])
    counts = silent(forward(network, X)[1][1:-1])
    found = ", ".join(
        f"{count} of {n} in {name}"
        for count, n, name in zip(counts, network.widths[1:], layer_names(network))
    )
    return f"hidden units that are 0 for each of {counted(len(X), 'row')}: {found}"


def ending(model: "Model") -> str:
    """Why the training has ended."""
    if model.history.streamed:
        return "trained by partial_fit" + ", whose last call diverged" * (
            model.ended == "divergence"
        )
    return {
        "epochs": "ended after the last of its epochs",
        "stopping": f"ended by early stopping, as {model.monitor} no longer improved",
        "converged": "ended as it had converged",
        "hook": "ended by a callback",
        "divergence": "ended as the next epoch diverged",
        "max_seconds": "ended as max_seconds was over",
        "requested": "ended by request",
        "interrupted": "ended by Ctrl-C or an error",
        "running": "still in training",
    }.get(model.ended, "ended for a reason that is not known")


def _causes(model: "Model", general: bool) -> Iterator[str]:
    """What can be found without rows."""
    yield from absent(model)
    if model.stream == ():
        yield STREAMED_BY_CLASS
    if not general:
        return
    yield from model.seen.begin
    if model.seen.outlier:
        yield model.seen.outlier
    if model.seen.changed:
        yield f"In the stream {model.seen.changed}."
    yield from stopped(model.ended, dict(model.history), model.seen.rules, model.monitor)
    yield from rate(model.training_spec, dict(model.history), model.network.n_layers)
    yield from penalties(model.training_spec)
    yield from alike(model.network)


def layer_rows(model: "Model") -> list[tuple[str, ...]]:
    """The head of a table, then a row for each embedded column, for all periodic embeddings and for
    each layer."""
    network, rows = model.network, list[tuple[str, ...]]([COLUMNS])
    columns = [] if model.columns is None else model.columns.embedded
    for column, (n, width) in zip(columns, network.embeddings):
        size = f"{n * width:,}"
        rows.append((f"embedding of {column.name}", "1", str(width), "", f"{n} x {width}", size))
    if network.periodic:
        features, frequencies, dim = network.periodic
        n, size = len(features), f"{len(features) * (2 * frequencies + dim * (frequencies + 1)):,}"
        kind = f"{n} x {dim} x {frequencies}"
        rows.append(("periodic embeddings", str(n), str(n * dim), "cos", kind, size))
    for name, activation, (n_in, n_out) in zip(
        layer_names(network), network.activations, pairwise(network.widths)
    ):
        size = f"{n_out * (n_in + network.has_bias):,}"
        rows.append((name, str(n_in), str(n_out), activation, f"{n_out} x {n_in}", size))
    return rows


def last_epoch(model: "Model") -> str:
    """Loss and metric of the epoch whose weights the model has."""
    history, metric = dict(model.history), model.task.metric_name
    epochs, at = model.n_epochs, (model.best_entry or len(history["loss"])) - 1
    values = [
        f"{prefix.replace('_', ' ')}{word} {history[prefix + name][at]:.4g}"
        for prefix in ("", "val_")
        for name, word in (("loss", "loss"), ("metric", metric))
        if prefix + name in history
    ]
    if model.monitor not in MEASURED:
        values.append(f"{model.monitor} {history[model.monitor][at]:.4g}")
    which = (
        f"epoch {model.best_epoch} of {epochs}, the best"
        if model.best_epoch
        else f"after {epochs} epoch{'s' * (epochs > 1)}"
    )
    return f"{which}: {', '.join(values)}"


def model_rows(mean: "MeanModel") -> list[tuple[str, ...]]:
    """The head of a table, then a row for each of the models."""
    head = ("model", "layers", "parameters", "epochs", "best", "monitor")
    return [head, *((str(k), *_model_in_words(one)) for k, one in enumerate(mean.models))]


def _model_in_words(model: "Model") -> tuple[str, ...]:
    """What a line of the summary says of a model."""
    spec = model.network_spec
    layers = "-".join(map(str, spec.widths))
    epochs, best = model.n_epochs, model.best_epoch
    if not epochs:
        return layers, f"{len(model.network.flat()):,}", "0", "", ""
    value = model.history[model.monitor][(model.best_entry or len(model.history["loss"])) - 1]
    said = f"{model.monitor} {value:.4g}"
    return layers, f"{len(model.network.flat()):,}", f"{epochs}", f"{best or ''}", said


def columns_in_words(columns: "Columns") -> str:
    """How many columns of a table become how many features."""
    n = len(columns.columns)
    return (
        f"{counted(n, 'column')} become{'s' * (n == 1)} {counted(columns.width, 'feature')}, as "
        "columns_ lists them"
    )
