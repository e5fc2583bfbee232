"""cnn_core: multilayer perceptrons on CPUs, with a native core that gives the same bits
everywhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

try:
    from cnn_core._cpu import instruction_set, instruction_sets
except ModuleNotFoundError as error:
    if error.name != "cnn_core._cpu":
        raise
    raise ModuleNotFoundError(
        f"the native core is not built for this Python: {__path__[0]} has the sources alone; run "
        "`pip install .` in the checkout, or `python setup.py build_ext --inplace`",
        name="cnn_core._cpu",
    ) from None

from cnn_core import threads
from cnn_core.activations import ELU, LeakyReLU
from cnn_core.estimators import MLPClassifier, MLPRegressor
from cnn_core.exceptions import DivergenceWarning, ModelFormatError, NotFittedError
from cnn_core.files.estimators import load
from cnn_core.losses import GaussianNLL, Huber, Pinball
from cnn_core.mlp import MLP
from cnn_core.threads import get_num_threads, set_num_threads

if TYPE_CHECKING:
    from cnn_core import datasets, functional, plot
    from cnn_core.callbacks import Callback
    from cnn_core.embeddings import Embedding, PeriodicEmbedding
    from cnn_core.ensemble import Ensemble
    from cnn_core.initializers import Normal, Orthogonal
    from cnn_core.many import fit_many
    from cnn_core.optimizers import (
        LBFGS,
        SGD,
        Adadelta,
        Adagrad,
        Adam,
        AdamW,
        Nadam,
        RMSprop,
        Rprop,
    )
    from cnn_core.schedules import (
        Constant,
        Cosine,
        Coslog,
        Exponential,
        FlatCosine,
        InverseTime,
        OneCycle,
        ReduceOnPlateau,
        StepDecay,
        Warmup,
    )
    from cnn_core.tabular import TabularMLP

__version__ = "0.1.0"
#: Counted up whenever any result changes in any bit: two versions with the same number predict and
#: train alike to the bit.
bits = 6
__all__ = [
    "ELU",
    "LBFGS",
    "MLP",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Callback",
    "Constant",
    "Cosine",
    "Coslog",
    "DivergenceWarning",
    "Embedding",
    "Ensemble",
    "Exponential",
    "FlatCosine",
    "GaussianNLL",
    "Huber",
    "InverseTime",
    "LeakyReLU",
    "MLPClassifier",
    "MLPRegressor",
    "ModelFormatError",
    "Nadam",
    "Normal",
    "NotFittedError",
    "OneCycle",
    "Orthogonal",
    "PeriodicEmbedding",
    "Pinball",
    "RMSprop",
    "ReduceOnPlateau",
    "Rprop",
    "StepDecay",
    "TabularMLP",
    "Warmup",
    "bits",
    "datasets",
    "fit_many",
    "functional",
    "get_num_threads",
    "instruction_set",
    "instruction_sets",
    "load",
    "plot",
    "set_num_threads",
]  # fmt: skip

#: Modules that are imported when somebody asks for them, and what the package itself shows of each:
#: predictions of a loaded model need none.
_LATER = {
    "callbacks": ("Callback",),
    "datasets": (),
    "embeddings": ("Embedding", "PeriodicEmbedding"),
    "ensemble": ("Ensemble",),
    "functional": (),
    "initializers": ("Normal", "Orthogonal"),
    "many": ("fit_many",),
    "optimizers": (
        "LBFGS",
        "SGD",
        "Adadelta",
        "Adagrad",
        "Adam",
        "AdamW",
        "Nadam",
        "RMSprop",
        "Rprop",
    ),
    "plot": (),
    "schedules": (
        "Constant",
        "Cosine",
        "Coslog",
        "Exponential",
        "FlatCosine",
        "InverseTime",
        "OneCycle",
        "ReduceOnPlateau",
        "StepDecay",
        "Warmup",
    ),
    "tabular": ("TabularMLP",),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _LATER.items() for name in (module, *names)}

threads.join_threadpoolctl()


if not TYPE_CHECKING:  # a checker would take every name for one that there is

    def __getattr__(name: str) -> Any:
        """What is imported when somebody asks for it, and errors for what there is not."""
        if name in _MODULE_OF:
            import importlib

            module = importlib.import_module(f"cnn_core.{_MODULE_OF[name]}")
            value = module if name in _LATER else getattr(module, name)
            globals()[name] = value
            return value
        if name.startswith("_"):  # what Python and its tools look for
            raise AttributeError(f"module 'cnn_core' has no attribute {name!r}")
        from cnn_core._foreign import NAMES

        if name not in NAMES:  # Python itself says which name is near
            raise AttributeError(
                f"module 'cnn_core' has no attribute {name!r}", name=name, obj=sys.modules[__name__]
            )
        message = f"cnn_core has no {name}; {NAMES[name]}"
        if sys._getframe(1).f_code.co_name == "_handle_fromlist":
            # `from cnn_core import ...` would hide an AttributeError behind a message of its own.
            raise ImportError(message)
        raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
