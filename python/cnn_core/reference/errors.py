"""dC/dx, and dC/da of each layer."""

from cnn_core.functional import RowSource
from cnn_core.reference.layers import error_below
from cnn_core.reference.losses import output_error
from cnn_core.reference.periodic import input_errors
from cnn_core.reference.training import Trainer
from cnn_core.reference.vectors import Matrix, Row


def errors(
    trainer: Trainer, X: RowSource, y: RowSource | None, labels: RowSource | None
) -> list[Matrix]:
    """dC/dx of the rows of the last `loss_and_gradient`, by way of periodic embeddings too, and
    dC/da of each layer; what `Trainer.backward` makes the deltas of."""
    layers, last = trainer.layers(), trainer.passes[-1]
    _, targets, *_ = trainer.as_lists(X, y, labels, None)
    if trainer.from_logits:
        name, param = trainer.spec.loss, trainer.loss_param
        of_output = [output_error(name, a, t, param) for a, t in zip(last.a, targets)]
    else:
        of_output = [error for _, error in trainer.costs(last, targets)]
    share = 1 / len(of_output)
    below = [
        [error_below(W, delta) for delta in one.delta]
        for (W, _), one in zip(layers, trainer.passes)
    ]
    below[0] = [
        to_features(trainer, x, delta) for x, delta in zip(trainer.passes[0].inputs, below[0])
    ]
    return [*below, [[e * share for e in error] for error in of_output]]


def to_features(trainer: Trainer, x: Row, delta: Row) -> Row:
    """dC/dx of the features, from that of what the first layer reads."""
    _, features, columns = trainer.embeddings()
    first = trainer.network.n_features - trainer.network.n_tables
    end = first + sum(len(column.d) for column in columns)
    back = input_errors(x, features, columns, delta[first:end])
    whole = delta[:first] + delta[end:]
    for i, error in zip(features, back):
        whole[i] += error
    return whole
