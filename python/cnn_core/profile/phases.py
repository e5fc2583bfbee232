"""The phases of a training: what each of them computes and moves, and at which rates."""

import math
from typing import Any

from cnn_core.data.prepare import Dataset
from cnn_core.functional import Network, Trainer, loss_table
from cnn_core.inspection import layer_names
from cnn_core.inspection.places import parameter_shapes

MULTIPLIES = ("forward", "backward", "gradient")


def work_of(network: Network, rows: int, l: int, phase: str) -> int:
    """Floating-point operations of a phase in an epoch: 2 a weight and row; the first layer sends
    nothing back but to embedded columns, whose own are not counted."""
    if phase not in MULTIPLIES:
        return 0
    n_in = network.widths[l]
    if phase == "backward" and l == 0:
        n_in -= network.n_features - network.n_tables
    return 2 * rows * n_in * network.widths[l + 1]


def traffic_of(trainer: Trainer, data: Dataset, l: int, phase: str) -> int:
    """Bytes that a phase reads and writes in an epoch, padding left out; 0 where moving memory is
    not its work."""
    network, rows = trainer.backprop.network, int(data.X.count)
    if phase == "gather":
        parts = (None if trainer.in_place else data.X, data.y, data.labels, data.weights)
        return 2 * sum(int(part.count * part.array[:1].nbytes) for part in parts if part)
    if phase == "update":
        n_in, n_out = network.widths[l], network.widths[l + 1]
        # Parameters and slots are read and written, the gradient is read; W^T is made anew, but of
        # a first layer without embeddings, whose parameters count with it.
        parameters = n_out * (n_in + network.has_bias)
        if l == 0:
            parameters += sum(
                math.prod(shape)
                for _, parameter, shape in parameter_shapes(network)
                if parameter not in "Wb"
            )
        numbers = (2 + 2 * len(trainer.slots) + 1) * parameters
        numbers += 2 * n_out * n_in if l or network.embeds else 0
        return -(-rows // trainer.backprop.max_batch_size) * numbers * network.itemsize
    return 0


def phases_of(network: Network, loss: str) -> list[tuple[str, int, str]]:
    """(what is printed, layer, phase) of all phases that a training has."""
    last = network.n_layers - 1
    fused = loss_table()[loss].fused_activations  # activations that the loss takes in
    phases = [("rows", 0, "shuffle"), ("rows", 0, "gather")]
    for l, name in enumerate(layer_names(network)):
        phases += [
            (name, l, phase)
            for phase in ("forward", "activation", "loss", "backward", "gradient", "update")
            if not (
                (phase == "activation" and l == last and fused)
                or (phase == "loss" and l < last)
                or (phase == "backward" and l == 0 and not network.embeds)
            )
        ]
    return phases


def phase_table(
    trainer: Trainer,
    data: Dataset,
    rounds: list[list[dict[str, float]]],
    peak: float,
    bandwidth: float,
) -> list[dict[str, Any]]:
    """A dict for each phase of each layer.

    Parameters
    ----------
    trainer : Trainer
        The native one.
    data : Dataset
    rounds : list
        `Trainer.layer_seconds` of an epoch, for each round.
    peak, bandwidth : float
        Operations and bytes a second.

    Returns
    -------
    list of dict
    """
    network = trainer.backprop.network
    table: list[dict[str, Any]] = []
    for name, l, phase in phases_of(network, trainer.backprop.loss.name):
        seconds = min(layers[l][phase] for layers in rounds)
        work, traffic = (
            amount / seconds if seconds > 0 and amount else None
            for amount in (
                work_of(network, data.X.count, l, phase),
                traffic_of(trainer, data, l, phase),
            )
        )
        table.append(
            {
                "layer": name,
                "phase": phase,
                "seconds": seconds,
                "share": 0.0,
                "gflop_per_s": work and work / 1e9,
                "peak_share": work and work / peak,
                "gb_per_s": traffic and traffic / 1e9,
                "copy_share": traffic and traffic / bandwidth,
            }
        )
    whole = math.fsum(row["seconds"] for row in table)
    for row in table:
        row["share"] = row["seconds"] / whole
    return table
