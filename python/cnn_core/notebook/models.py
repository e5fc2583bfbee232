"""Models as HTML: their layers, what they have learned from, and how the training went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cnn_core._few import clipped, counted, few_words
from cnn_core.curves import Curves
from cnn_core.notebook.curves import drawn, picture
from cnn_core.notebook.html import card, facts, folded, table

if TYPE_CHECKING:
    from cnn_core.mean import MeanModel
    from cnn_core.model import Model

#: Models of a mean whose curves are drawn.
MOST_CURVES = 8


def html_of(estimator: Any) -> str:
    """What a notebook shows of an `MLP`, a `TabularMLP` or an `Ensemble`."""
    name, found = type(estimator).__name__, estimator._fitted  # once: a fit may replace it
    if found is None:
        return card(f"{name}, not fitted", _parameters(estimator))
    parts = _of_network(found) if hasattr(found, "network") else _of_mean(found)
    return card(f"{name}, {_task(found.task)}", *parts, _parameters(estimator))


def _task(task: Any) -> str:
    """ "classification of 10 classes" """
    if task.classes is not None and task.name == "classification":
        return f"classification of {counted(len(task.classes), 'class')}"
    if task.name == "multilabel":
        return f"{counted(task.n_outputs, 'label')} a row"
    return f"regression of {counted(task.n_outputs, 'output')}"


def _of_network(model: Model) -> Iterator[str]:
    from cnn_core.data.auto_scaling import scaling_words
    from cnn_core.inspection.summary import WORDS, ending, last_epoch, layer_rows, size

    head, *rows = layer_rows(model)
    yield table(head, rows, WORDS)
    scaled = "; ".join(scaling_words(model.scaling, model.target_scaling))
    trained = bool(model.n_epochs)
    yield facts(
        [
            ("size", size(model.network)),
            *_data(model),
            ("scaling", scaled or "none"),
            ("loss", model.task.loss),
            ("optimizer", _named(model.training_spec.optimizer)),
            ("training", ending(model) if trained or model.ended else "none yet"),
            ("result", last_epoch(model) if trained else ""),
        ]
    )
    if trained:
        yield picture(Curves.of_epochs(model))


def _of_mean(mean: MeanModel) -> Iterator[str]:
    from cnn_core.inspection.summary import model_rows

    head, *rows = model_rows(mean)
    n = len(mean.models)
    total = sum(one.network.parameters.nbytes for one in mean.models)
    yield table(head, rows, (1, 5), most=10)
    yield facts(
        [
            ("size", f"the mean of {counted(n, 'model')}, {total:,} bytes of parameters"),
            *_data(mean),
            ("loss", mean.first.task.loss),
        ]
    )
    yield _of_several(mean.models[:MOST_CURVES])


def _of_several(models: Sequence[Model]) -> str:
    """The curves of some models."""
    watched = "val_loss" if all("val_loss" in one.history for one in models) else "loss"
    curves = [one.history[watched] for one in models if one.n_epochs]
    if not curves:
        return ""
    ends = [f"{end:.4g}" for end in sorted(curve[-1] for curve in curves)]
    words = f"{watched.replace('_', ' ')} of {counted(len(curves), 'model')}, at the end "
    words += " and ".join(ends) if len(ends) < 3 else f"{', '.join(ends[:-1])} and {ends[-1]}"
    longest = max(map(len, curves))
    return drawn(range(1, longest + 1), [("blue", curve) for curve in curves], words)


def _data(model: Any) -> Iterator[tuple[str, str]]:
    """What X and y were: names of columns and classes."""
    columns, names = model.columns, model.feature_names
    if columns is not None:
        listed = few_words(columns.names, len(columns.columns))
        yield (
            "columns",
            f"{len(columns.columns):,}: {listed}; they become {counted(columns.width, 'feature')}",
        )
    else:
        n = model.n_features
        yield "features", f"{n:,}" + (f": {few_words(names, n)}" if names is not None else "")
    classes = model.task.classes
    if classes is not None:
        yield "classes", few_words(classes, len(classes))
    if model.target_names:
        yield "targets", few_words(model.target_names, len(model.target_names))


def _named(optimizer: Any) -> str:
    """ "adam", or the call that makes it."""
    return optimizer if isinstance(optimizer, str) else repr(optimizer)


def _parameters(estimator: Any) -> str:
    """The parameters that are not the defaults, folded."""
    if not hasattr(estimator, "get_params"):
        return ""
    defaults, given = estimator._defaults(), estimator.get_params()
    return folded_parameters(
        (name, value) for name, value in given.items() if differs(value, defaults[name])
    )


def differs(value: Any, default: Any) -> bool:
    """Whether a parameter is another one than its default."""
    return value is not default and repr(value) != repr(default)


def folded_parameters(changed: Iterable[tuple[str, Any]]) -> str:
    """Parameters and their values, folded."""
    pairs = [(name, clipped(repr(value), 200)) for name, value in changed]
    if not pairs:
        return facts([("parameters", "all have their defaults")])
    n = len(pairs)
    return folded(f"{counted(n, 'parameter')} not at default", facts(pairs))
