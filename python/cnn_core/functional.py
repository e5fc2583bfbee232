"""The compiled pieces of the library, each by itself: what `MLP` is made of.

Arrays are C-contiguous ndarrays of float32 or float64, one row a sample; weights W have one row
for each output. Results have the same bits as in training, on every machine.

========================= ==============================================================
linear algebra            `matvec`, `matmul`, `affine`, `pack`, `unpack`
activations               `activation`, `activation_derivative`, `activation_backward`,
                          `activation_derivative_from_a`, `activation_second_derivative`,
                          `activation_backward_along`, `activation_names`,
                          `activation_parameters`
losses                    `loss`, `loss_from_a`, `loss_curvature`, `loss_names`, `loss_table`
backpropagation           `backward_delta`, `gradients`, `dropout`
random numbers            `permutation`, `uniform`
predicting by hand        `Network`, `BatchPredictor`, `RowPredictor`
training by hand          `Backprop`, `Trainer`, `RowSource`,
                          `optimizer_names`, `optimizer_settings`
mathematical functions    `math_functions`, `apply_math_function`
the machine               `instruction_set`, `instruction_sets`, `use_instruction_set`,
                          `fma_peak`
========================= ==============================================================

Examples
--------
>>> import numpy as np
>>> from cnn_core import functional as F
>>> W, x, b = np.eye(3, 2), np.array([1.0, -2.0]), np.zeros(3)
>>> z = F.matvec(W, x, b)
>>> F.activation("relu", z[None])
array([[1., 0., 0.]])
"""

from cnn_core._activations import (
    activation,
    activation_backward,
    activation_backward_along,
    activation_derivative,
    activation_derivative_from_a,
    activation_second_derivative,
)
from cnn_core._activations import names as activation_names
from cnn_core._activations import parameters as activation_parameters
from cnn_core._backprop import Backprop, backward_delta, gradients
from cnn_core._costs import loss, loss_from_a
from cnn_core._cpu import apply as apply_math_function
from cnn_core._cpu import fma_peak, instruction_set, instruction_sets, use_instruction_set
from cnn_core._cpu import functions as math_functions
from cnn_core._dataset import RowSource
from cnn_core._dropout import drop as dropout
from cnn_core._linalg import affine, matmul, matvec, pack, unpack
from cnn_core._losses import loss_curvature
from cnn_core._losses import names as loss_names
from cnn_core._losses import table as loss_table
from cnn_core._network import Network
from cnn_core._optimizer import optimizer_names, optimizer_settings
from cnn_core._predict import BatchPredictor, RowPredictor
from cnn_core._random import permutation, uniform
from cnn_core._trainer import Trainer

__all__ = [
    "Backprop",
    "BatchPredictor",
    "Network",
    "RowPredictor",
    "RowSource",
    "Trainer",
    "activation",
    "activation_backward",
    "activation_backward_along",
    "activation_derivative",
    "activation_derivative_from_a",
    "activation_names",
    "activation_parameters",
    "activation_second_derivative",
    "affine",
    "apply_math_function",
    "backward_delta",
    "dropout",
    "fma_peak",
    "gradients",
    "instruction_set",
    "instruction_sets",
    "loss",
    "loss_curvature",
    "loss_from_a",
    "loss_names",
    "loss_table",
    "math_functions",
    "matmul",
    "matvec",
    "optimizer_names",
    "optimizer_settings",
    "pack",
    "permutation",
    "uniform",
    "unpack",
    "use_instruction_set",
]
