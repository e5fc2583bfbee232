"""Attributes that models of other libraries have, and what they are called here.

They are descriptors, whose `__get__` raises: a `__getattr__` would slow every look at an attribute
of a model (Python 3.11: predictions of one row by a tenth).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar, NoReturn


class ForeignAttribute:
    """An attribute that there is not, with a hint: the name that is meant, or the end of a
    sentence."""

    def __init__(self, name: str, hint: str) -> None:
        self.name, self.hint = name, hint

    def __get__(self, model: object, kind: type) -> NoReturn:
        raise AttributeError(
            f"{kind.__name__!r} object has no attribute {self.name!r}; {self.words(kind)}",
            name=self.name,
            obj=kind if model is None else model,
        )

    def words(self, kind: Any) -> str:
        """The hint for objects of a class."""
        return f"it is called {self.hint} here" if self.hint.isidentifier() else self.hint


class OfOneNetwork(ForeignAttribute):
    """What a single network has, by this name or, with a hint, another; the class says where its
    networks are."""

    def words(self, kind: Any) -> str:
        """The hint for objects of a class."""
        if self.hint in _own(kind):
            return super().words(kind)
        one = f"{kind._networks}[k]."
        if self.hint.isidentifier():
            return f"it is of a single network: {one}{self.hint}"
        return _OF_NETWORK.sub(lambda found: one + found[0], self.hint)


def _there(one: object, names: Iterable[str]) -> list[str]:
    """Those names that an object has now: not what there is after a fit alone."""
    return sorted(name for name in names if name.startswith("_") or hasattr(one, name))


class ForeignAttributes:
    """Base of classes whose objects say what an attribute of another library is called here."""

    def __dir__(self) -> Iterable[str]:
        return _there(self, {*super().__dir__()} - _HINTS.keys())


class OnlyOfMLP:
    """Base of scikit-learn's estimators, which say what `cnn_core.MLP` alone has."""

    def __dir__(self) -> Iterable[str]:
        return _there(self, {*super().__dir__()} - _HINTS_OF_MLP.keys())


class OnlyOfNetworks:
    """Base of estimators that are several networks, which say what a single one has."""

    _networks: ClassVar[str]  #: the attribute that has them

    def __dir__(self) -> Iterable[str]:
        return _there(self, {*super().__dir__()} - (_OF_NETWORKS.keys() - _own(type(self))))


def _own(kind: type) -> set[str]:
    """What a class has beside hints."""
    return {name for one in kind.__mro__ if one is not OnlyOfNetworks for name in vars(one)}


def by_word(groups: dict[str, str]) -> dict[str, str]:
    """The hint for each word, of the words for each hint."""
    return {word: hint for hint, words in groups.items() for word in words.split()}


_HINTS = by_word({
    "weights_, W of each layer, shape (n_out, n_in), is the transpose of each": "coefs_",
    "weights_ has W of each layer": "coef_ weights kernel get_weights",
    "biases_ has b of each layer": "intercepts_ intercept_ biases",
    "parameters_ has all weights and biases, and can be assigned to": "set_weights parameters "
    "named_parameters",
    "history_['loss'] has the loss of each epoch": "loss_curve_ loss_ losses_ train_losses",
    "history_['val_loss'] and history_['val_metric'] have those of each epoch":
    "validation_scores_ best_validation_score_ best_score_ best_loss_",
    "n_epochs_": "n_iter_ n_iter",
    "history_": "history",
    "classes_": "classes",
    "n_features_in_": "n_features_",
    "save writes the model to a file, and load reads it": "state_dict load_state_dict save_model "
    "load_model save_weights load_weights dump to_json",
    "a network has none; importances(X, y) measures them": "feature_importances_",
    "a model is trained by fit and needs no compiling": "compile",
    "predict and predict_proba never use dropout": "eval train",
    "everything is computed on the CPU, by at most n_threads threads": "to cuda cpu",
    "fit trains and predict predicts": "transform fit_transform fit_predict train_on_batch",
    "inputs are scaled by the model itself": "normalize_",
})  # fmt: skip

_HINTS_OF_MLP = by_word({
    "cnn_core.MLP.from_sklearn(model) makes an MLP of it, which has it": "to_sklearn to_torch "
    "from_sklearn from_torch export_c",
    "cnn_core.MLP, MLPClassifier and MLPRegressor have it, whose parameters have other names":
    "evaluate summary trace check_gradient loss_and_gradient per_sample_gradients profile forward "
    "hessian_vector_product predict_quantiles predict_std "
    "predict_one initialize step_history_ input_shift_ input_factor_ target_shift_ target_factor_",
    "MLPRegressor has it; of a classifier predict_proba says how sure it is":
    "calibrate predict_interval",
    "coefs_ has W of each layer, shape (n_in, n_out)": "weights_ parameters_",
    "intercepts_ has b of each layer": "biases_",
    "loss_curve_ and validation_scores_ have the numbers of each epoch": "history_ history",
    "n_iter_": "n_epochs_",
    "best_loss_ and best_validation_score_ are those of the best epoch": "best_epoch_",
})  # fmt: skip

#: What a hint for a network names of it.
_OF_NETWORK = re.compile(r"\b(?:weights_|biases_|parameters_|history_)(?!\w)")

#: What `MLP` has and several networks do not, and what is called so elsewhere.
_OF_NETWORKS = {
    **{
        name: name
        for name in [
            "attributions",
            "best_epoch_",
            "biases_",
            "categories_",
            "check_gradient",
            "converged_",
            "embeddings_",
            "export_c",
            "from_sklearn",
            "from_torch",
            "importances",
            "index_of",
            "initialize",
            "input_factor_",
            "input_gradient",
            "input_shift_",
            "jacobian",
            "history_",
            "loss_and_gradient",
            "n_epochs_",
            "numeric_embeddings_",
            "parameters_",
            "partial_fit",
            "hessian_vector_product",
            "per_sample_gradients",
            "profile",
            "step_history_",
            "target_factor_",
            "target_shift_",
            "to_sklearn",
            "to_torch",
            "trace",
            "weights_",
            "where",
        ]
    },
    **_HINTS,
    "resume": "fit or fit_many goes on from the file that is its checkpoint",
}

for _class, _hints, _kind in (
    (ForeignAttributes, _HINTS, ForeignAttribute),
    (OnlyOfMLP, _HINTS_OF_MLP, ForeignAttribute),
    (OnlyOfNetworks, _OF_NETWORKS, OfOneNetwork),
):
    for _name, _hint in _hints.items():
        setattr(_class, _name, _kind(_name, _hint))
