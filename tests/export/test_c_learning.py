"""Headers that learn have the parameters of partial_fit, to the bit."""

import shutil
import sys

import numpy as np
import pytest
from cnn_core.embeddings import Embedding
from cnn_core.optimizers import SGD, Rprop
from cnn_core.schedules import Cosine
from export_cases import learned_in_c, learning_case, struct_rows, table

from cnn_core import MLP, Ensemble

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32" or not shutil.which("gcc"), reason="needs gcc"),
    pytest.mark.filterwarnings("ignore"),
]
NESTEROV = SGD(0.02, momentum=0.9, nesterov=True)
CASES = {
    "number": dict(optimizer="adamw", l1=1e-4, l2=1e-3, activation="gelu"),
    "numbers": dict(
        optimizer=SGD(0.02, momentum=0.9, nesterov=True), clip_norm=0.3, dtype="float64"
    ),
    "count": dict(loss="poisson", optimizer="rmsprop", activation="elu"),
    "two": dict(clip_norm=0.05, hidden=(40, 20), max_norm=0.6),
    "three": dict(activation="tanh", dtype="float64"),
    "many": dict(optimizer="adagrad", scale_inputs="robust_asinh"),
    "several": dict(optimizer="amsgrad", activation="swish", hidden=6),
}


def compared(folder, model, batches, compiler=("gcc", "-std=c99", "-O1", "-march=native")):
    """Parameters in C and in Python."""
    in_c = learned_in_c(folder, model, batches, [*compiler])
    scalings = model._model().scaling, model._model().target_scaling
    for X, y in batches:
        model.partial_fit(X, y)
    assert (model._model().scaling, model._model().target_scaling) == scalings
    return in_c, model.parameters_.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("kind", CASES)
def test_after_many_mini_batches_all_parameters_are_those_of_partial_fit(tmp_path, kind):
    model, drawn = learning_case(kind, **CASES[kind])
    sizes = (1, 32, 7, 1)
    in_c, in_python = compared(tmp_path, model, [drawn(sizes[k % 4], 1 + k) for k in range(200)])
    assert in_c == in_python


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 32])
def test_so_they_are_after_a_thousand(tmp_path, size):
    model, drawn = learning_case("number")
    in_c, in_python = compared(tmp_path, model, [drawn(size, 1 + k) for k in range(1000)])
    assert in_c == in_python


@pytest.mark.slow
def test_one_layer_a_whole_batch_and_losses_of_outputs_learn_too(tmp_path):
    for k, (kind, how) in enumerate(
        (
            ("three", dict(hidden=(), loss="mse")),
            ("number", dict(optimizer=Rprop(), batch_size="full", loss="huber")),
            ("number", dict(bias=False, scale_inputs=None, scale_targets=None, loss="mae")),
        )
    ):
        model, drawn = learning_case(kind, **how)
        in_c, in_python = compared(tmp_path, model, [drawn(7, 1 + k) for k in range(10)])
        assert in_c == in_python, k


@pytest.mark.slow
@pytest.mark.parametrize("embedded", [False, True])
def test_rows_of_tables_are_learned(tmp_path, embedded):
    y = np.random.default_rng(1).normal(size=300)
    columns = {"int": Embedding(3), "shop": "embedding"} if embedded else {"int": "category"}
    how = dict(l1=1e-4, l2=1e-3, clip_norm=0.2) if embedded else {}
    model = MLP(5, columns=columns, epochs=2, random_state=0, **how).fit(table(300), y)
    batches, rows = [], []
    for k in range(20):
        given = table(7, seed=k, gaps=False)
        given["shop"][0], given["int"][0] = "unknown", "12"
        batches.append((given, y[k : k + 7]))
        rows.append((struct_rows(model.columns_, given), y[k : k + 7]))
    in_c = learned_in_c(tmp_path, model, rows, ["gcc", "-std=c99"])
    for given, target in batches:
        model.partial_fit(given, target)
    assert in_c == model.parameters_.tobytes()


@pytest.mark.slow
def test_other_compilers_and_processors_learn_the_same(tmp_path):
    arm = ["aarch64-linux-gnu-gcc", "-static"], ["qemu-aarch64"]
    for compiler, emulator in ((["g++", "-x", "c++", "-std=c++11"], []), (["clang"], []), arm):
        for tool in (compiler[0], *emulator):
            if not shutil.which(tool):
                pytest.skip(f"{tool} is not installed")
        model, drawn = learning_case("three", optimizer="adamw", l2=1e-3)
        batches = [drawn(7, 1 + k) for k in range(30)]
        in_c = learned_in_c(tmp_path, model, batches, compiler, emulator)
        for X, y in batches:
            model.partial_fit(X, y)
        assert in_c == model.parameters_.tobytes()


@pytest.mark.parametrize(
    "how, said",
    [
        (dict(dropout=0.2), "dropout"),
        (dict(learning_rate=Cosine(initial=0.01)), "a schedule, whose rates"),
        (dict(optimizer="nadam"), "the optimizer 'nadam'"),
        (dict(numeric_embedding="periodic"), "embeddings of numbers"),
    ],
)
def test_what_a_header_does_not_learn_is_refused(tmp_path, how, said):
    model, _ = learning_case("number", **how)
    with pytest.raises(NotImplementedError, match=said):
        model.export_c(tmp_path / "net.h", train=True)
    with pytest.raises(NotImplementedError, match="mean of several"):
        Ensemble([model]).export_c(tmp_path / "net.h", train=True)
    assert not list(tmp_path.iterdir())
