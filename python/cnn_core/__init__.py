"""cnn_core: multilayer perceptrons on CPUs, with a native core that gives the same bits
everywhere."""

from __future__ import annotations

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
from cnn_core.callbacks import Callback
from cnn_core.estimators import MLPClassifier, MLPRegressor
from cnn_core.exceptions import DivergenceWarning, NotFittedError
from cnn_core.initializers import Normal, Orthogonal
from cnn_core.losses import Huber
from cnn_core.mlp import MLP
from cnn_core.optimizers import LBFGS, SGD, Adadelta, Adagrad, Adam, AdamW, Nadam, RMSprop, Rprop
from cnn_core.threads import get_num_threads, set_num_threads

if TYPE_CHECKING:
    from cnn_core import datasets, functional

__version__ = "0.1.0"
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
    "DivergenceWarning",
    "Huber",
    "LeakyReLU",
    "MLPClassifier",
    "MLPRegressor",
    "Nadam",
    "Normal",
    "NotFittedError",
    "Orthogonal",
    "RMSprop",
    "Rprop",
    "datasets",
    "functional",
    "get_num_threads",
    "instruction_set",
    "instruction_sets",
    "set_num_threads",
]  # fmt: skip

threads.join_threadpoolctl()


def __getattr__(name: str) -> Any:
    """The modules that are imported when somebody asks for them."""
    if name in ("datasets", "functional"):
        import importlib

        return importlib.import_module(f"cnn_core.{name}")
    raise AttributeError(f"module 'cnn_core' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
