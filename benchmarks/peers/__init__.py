"""Who is compared. Each peer is one module of this folder, imported only in processes that measure
it. It has

set_threads(count)
    To be called first.
trainers(case, X, y, layers)
    {label: (train, trained)}: ``train(epochs)`` trains anew from `layers`, `trained()` returns the
    layers it came to.
row_predictors(net, layers)
    {label: function of one row, a 1-D float32 array}.
batch_predictors(net, layers)
    {label: function of many rows, a 2-D float32 array}.

The functions that predict take a NumPy array and return the class or classes with the largest
output, for regression the numbers, as a NumPy array or scalar. A peer that cannot do one of the
three returns {}.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """What can be known about a peer without importing it."""

    name: str
    module: str
    distribution: str  # what is installed to have it
    statement: str  # what its users import
    remark: str | None = None  # for the tables: what is not as in the others


OURS = Peer("cnn_core", "cnn_core_", "cnn-core", "from cnn_core import MLP")
PEERS = (
    OURS,
    Peer(
        "scikit-learn",
        "scikit_learn",
        "scikit-learn",
        "from sklearn.neural_network import MLPClassifier",
        "has one logistic output for two classes; Adam moves the difference of the others' two "
        "outputs twice as fast",
    ),
    Peer("PyTorch", "pytorch", "torch", "import torch"),
    Peer("JAX", "jax_", "jax", "import jax.numpy"),
    Peer("ONNX Runtime", "onnx_runtime", "onnxruntime", "import onnxruntime"),
    Peer("NumPy", "numpy_by_hand", "numpy", "import numpy"),
)


def environment(threads):
    """Variables that hold BLAS, OpenMP and XLA to a number of threads, if they stand before the
    import.

    For JAX it is NPROC: --xla_cpu_multi_thread_eigen=false, which is often recommended, has no
    effect any more.
    """
    names = (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NPROC",
    )
    return dict.fromkeys(names, str(threads))
