"""scikit-learn's estimators as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnn_core._few import counted, course, few_words
from cnn_core.notebook.curves import drawn
from cnn_core.notebook.html import card, facts, table
from cnn_core.notebook.models import differs, folded_parameters

if TYPE_CHECKING:
    from cnn_core.sklearn._base import BaseMLP


def html_of_drop_in(estimator: BaseMLP) -> str:
    """What a notebook shows of an estimator of `cnn_core.sklearn`."""
    name, defaults = type(estimator).__name__, estimator._parameters_in_files()
    parameters = folded_parameters(
        (key, value)
        for key, value in estimator.get_params(deep=False).items()
        if differs(value, defaults[key])
    )
    if not estimator.__sklearn_is_fitted__():
        return card(f"{name}, not fitted", parameters)
    coefs, curve = estimator.coefs_, [float(one) for one in getattr(estimator, "loss_curve_", ())]
    last, total = len(coefs) - 1, sum(W.size for W in coefs)
    total += sum(b.size for b in estimator.intercepts_)
    activations = [*estimator._model.activations[:last], estimator.out_activation_]
    rows = [
        (
            "output" if l == last else f"hidden {l + 1}",
            *W.shape,
            activation,
            f"{W.size + W.shape[1]:,}",
        )
        for l, (W, activation) in enumerate(zip(coefs, activations))
    ]
    return card(
        name,
        table(("layer", "inputs", "outputs", "activation", "parameters"), rows, (0, 3)),
        facts(
            [
                ("size", f"{total:,} parameters of {coefs[0].dtype}"),
                ("features", _features(estimator)),
                ("classes", _classes(estimator)),
                ("training", f"{counted(estimator.n_iter_, 'iteration')}, loss {_loss(estimator)}"),
            ]
        ),
        _picture(curve) if curve else "",
        parameters,
    )


def _picture(curve: list[float]) -> str:
    numbers = range(1, len(curve) + 1)
    return drawn(numbers, [("blue", curve)], f"loss {course(curve)}", "iteration")


def _features(estimator: Any) -> str:
    n, names = estimator.n_features_in_, getattr(estimator, "feature_names_in_", None)
    return f"{n:,}" + (f": {few_words(names, n)}" if names is not None else "")


def _classes(estimator: Any) -> str:
    classes = getattr(estimator, "classes_", None)
    return "" if classes is None else few_words(classes, len(classes))


def _loss(estimator: Any) -> str:
    loss = getattr(estimator, "loss_", None)
    return "unknown" if loss is None else f"{loss:.4g}"
