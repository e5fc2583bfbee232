"""The layers of a model in words and numbers."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from cnn_core.data.auto_scaling import scaling_words
from cnn_core.diagnosis import diagnose
from cnn_core.functional import Network
from cnn_core.inspection.places import layer_names

if TYPE_CHECKING:
    from cnn_core.model import Model

COLUMNS = ("layer", "inputs", "outputs", "activation", "W", "parameters")
WORDS = (0, 3)  # columns that are aligned to the left


def summary(model: "Model", dropout: Sequence[float]) -> str:
    """The layers of a network, one a line, with shapes, parameters and memory; and what its
    learning curves suggest.

    Parameters
    ----------
    model : Model
    dropout : sequence of float
        The share of its inputs that each layer leaves out in training.

    Returns
    -------
    str
    """
    network = model.network
    lines = _layers(network)
    total = sum(n_out * (n_in + network.has_bias) for n_in, n_out in pairwise(network.widths))
    lines.append(f"{total:,} parameters of {network.dtype} in {network.parameters.nbytes:,} bytes")
    lines += scaling_words(model.scaling, model.target_scaling)
    if any(dropout):
        rates = ", ".join(
            f"{rate:g} of {f'hidden {l}' if l else 'the inputs'}"
            for l, rate in enumerate(dropout)
            if rate
        )
        lines.append(f"dropout in training: {rates}")
    if model.n_epochs:
        history = dict(model.history)
        lines.append(_last_epoch(model, history))
        lines.append(diagnose(history, model.baseline, model.best_entry))
    return "\n".join(lines)


def _layers(network: Network) -> list[str]:
    """A table with a line for each layer."""
    rows = [COLUMNS]
    for name, activation, (n_in, n_out) in zip(
        layer_names(network), network.activations, pairwise(network.widths)
    ):
        size = f"{n_out * (n_in + network.has_bias):,}"
        rows.append((name, str(n_in), str(n_out), activation, f"{n_out} x {n_in}", size))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        "  ".join(
            cell.ljust(width) if i in WORDS else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        )
        for row in rows
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def _last_epoch(model: "Model", history: Mapping[str, Sequence[float]]) -> str:
    """Loss and metric of the epoch whose weights the model has."""
    metric = "R2" if model.task.name == "regression" else "accuracy"
    epochs, at = model.n_epochs, (model.best_entry or len(history["loss"])) - 1
    values = [
        f"{prefix.replace('_', ' ')}{word} {history[prefix + name][at]:.4g}"
        for prefix in ("", "val_")
        for name, word in (("loss", "loss"), ("metric", metric))
        if prefix + name in history
    ]
    which = (
        f"epoch {model.best_epoch} of {epochs}, the best"
        if model.best_epoch
        else f"after {epochs} epoch{'s' * (epochs > 1)}"
    )
    return f"{which}: {', '.join(values)}"
