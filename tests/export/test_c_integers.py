"""Headers in integers compute what they are written for, and are off by no more than they say."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from cnn_core.export.integers import exact, in_units
from cnn_core.export.quantized import quantized, range_of
from cnn_core.export.tables import _CURVES, table_of
from export_cases import rows_in

from cnn_core import MLP
from cnn_core import functional as F

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32" or not shutil.which("gcc"), reason="needs gcc"),
    pytest.mark.filterwarnings("ignore"),
]
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
CHECKED = ["-O1", "-fsanitize=undefined", "-fno-sanitize-recover"]
ACTIVATIONS = (*_CURVES, "relu", "leaky_relu", "selu", "identity")


def fitted(activation="tanh", kind="number", **parameters):
    rng = np.random.default_rng(4)
    X = (rng.normal(size=(200, 4)) * (1, 5, 0.1, 10) + (0, 20, 3, 0)).astype("f4")
    z = X[:, 0] + X[:, 1] / 5 - 4
    y = {
        "number": 3 * z,
        "numbers": np.column_stack((z, 100 * X[:, 2])),
        "two": z > 0,
        "three": np.digitize(z, (-0.5, 0.5)),
        "several": np.column_stack((z > 0, X[:, 2] > 3)).astype(int),
    }[kind]
    how = dict(hidden=(9, 6), epochs=3, scale_inputs="standard", random_state=0)
    return MLP(activation=activation, **{**how, **parameters}).fit(X, y)


def ran(folder, *command):
    (folder / "net.c").write_text('#include "net.h"\n')
    built = [*command, *STRICT, "-DNET_TEST", "net.c", "-o", "net"]
    subprocess.run(built, cwd=folder, check=True)
    done = subprocess.run(["./net"], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_c_computes_the_integers_of_python_without_overflow(tmp_path, dtype):
    for activation in ACTIVATIONS:
        fitted(activation).export_c(tmp_path / "net.h", dtype=dtype)
        assert ran(tmp_path, "gcc", "-std=c99", *CHECKED) == "net: 16 rows, right\n", activation
    for kind in ("numbers", "two", "three", "several"):
        model = fitted("gelu", kind, scale_inputs="minmax", clip_outputs=kind == "numbers")
        model.export_c(tmp_path / "net.h", dtype=dtype)
        assert ran(tmp_path, "gcc", "-std=c99", *CHECKED) == "net: 16 rows, right\n", kind
        assert ran(tmp_path, "g++", "-x", "c++", "-std=c++11") == "net: 16 rows, right\n", kind


@pytest.mark.skipif(not shutil.which("clang"), reason="needs clang")
def test_clang_compiles_the_header_itself_without_a_warning(tmp_path):
    fitted("relu", "three").export_c(tmp_path / "net.h", dtype="int8")
    options = [*STRICT, "-std=c99", "-DNET_TEST", "-x", "c", "net.h", "-o", "net"]
    subprocess.run(["clang", *options], cwd=tmp_path, check=True)
    subprocess.run(["./net"], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("kind", ["number", "three"])
def test_no_output_is_off_by_more_than_the_bound(dtype, kind):
    for activation in ACTIVATIONS:
        model = fitted(activation, kind)._model()
        net = quantized(model, dtype, range_of(model, None))
        rows = rows_in(net, 20_000, "f4")
        off = np.abs(in_units(model, net, net.outputs(net.quantize(rows))) - exact(model, rows))
        assert (off.max(axis=0) <= net.bound).all(), activation
        assert net.bound.max() < 60 * off.max(), activation  # it says something


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("activation", ["tanh", "leaky_relu", "softplus"])
def test_the_bound_of_a_single_neuron_is_nearly_reached(activation, dtype):
    x = np.linspace(-2, 2, 200, dtype="f4")[:, None]
    for seed in range(4):  # as errors may chance to be small
        model = MLP(1, activation=activation, epochs=60, scale_inputs="minmax", random_state=seed)
        model = model.fit(x, 5 * np.tanh(x[:, 0] + 0.3))._model()
        net = quantized(model, dtype, range_of(model, None))
        rows = rows_in(net, 20_000, "f4")
        off = np.abs(in_units(model, net, net.outputs(net.quantize(rows))) - exact(model, rows))
        assert off.max() <= net.bound[0] < 2.5 * off.max()


def test_a_table_has_the_error_that_it_says():
    z = np.linspace(-30, 30, 100_001)
    for name in _CURVES:
        table = table_of(name, 1.0 if name == "elu" else 0.0, 32767)
        found = table.value(np.rint(np.ldexp(z, 24)).astype(np.int64), 24) * 2.0**-table.fraction
        if table.has_relu:
            found += np.maximum(z, 0)
        wanted = F.activation(name, z[None])[0]
        assert np.abs(found - wanted).max() <= table.error(24) + 2.0**-24


def test_helpers_convert_inputs_and_outputs(tmp_path):
    model = fitted("relu")
    model.export_c(tmp_path / "net.h", dtype="int16", input_range=([-3, 0, 2, -30], [3, 40, 4, 30]))
    (tmp_path / "net.c").write_text(
        """#include "net.h"
#include <stdio.h>
int main(void) {
    static net_work work;
    net_number x[NET_INPUTS];
    double given[NET_INPUTS] = {0.5, 19, 3.1, 1e9};
    int32_t y;
    for (int i = 0; i < NET_INPUTS; i++) x[i] = net_quantize(i, given[i]);
    net_forward(x, &y, &work);
    printf("%.17g\\n", net_value(0, y));
    return 0;
}
"""
    )
    subprocess.run(["gcc", *STRICT, "net.c", "-o", "net"], cwd=tmp_path, check=True)
    told = subprocess.run(["./net"], cwd=tmp_path, capture_output=True, text=True, check=True)
    bound = float(re.search(r"Bound +([0-9.e+-]+)", (tmp_path / "net.h").read_text())[1])
    row = np.array([[0.5, 19, 3.1, 30]], "f4")
    assert abs(float(told.stdout) - model.predict(row)[0]) <= bound * 1.01 < 1


def test_what_is_not_written_in_integers_is_refused(tmp_path):
    path = tmp_path / "net.h"
    for how, said in (
        (dict(activation="exp"), "the activation 'exp'"),
        (dict(scale_inputs="robust_clip"), "scaled by smooth clip"),
    ):
        with pytest.raises(NotImplementedError, match=said):
            fitted(**how).export_c(path, dtype="int8")
    with pytest.raises(ValueError, match="needs input_range"):
        fitted(scale_inputs=None).export_c(path, dtype="int8")
    for given in ((1, 0), (0, np.inf), 3, ([0, 1], 2)):
        with pytest.raises(ValueError, match="input_range must be"):
            fitted().export_c(path, dtype="int8", input_range=given)
    for wrong in (dict(dtype="int4"), dict(dtype="int8", train=True), dict(input_range=(0, 1))):
        with pytest.raises(ValueError):
            fitted().export_c(path, **wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given, words", [
    ((-1e300, 1e300), "too large for integers"), ((1e308, 1.7e308), "too wide, or too narrow"),
    ((0, 1e-320), "too wide, or too narrow"), ((0, np.inf), r"low < high, got \(0, inf\)"),
    ((np.nan, 1), r"low < high, got \(nan, 1\) for input 0"), ("01", "got '01'"),
    (([0, 2], [1, 1]), r"got \(2, 1\) for input 1"), (("0", "1"), r"got \('0', '1'\)"),
    ((0, 1, 2), "each a number or one for each of the 2 inputs"), ((0j, 1), "each a number"),
])  # fmt: skip
def test_an_input_range_that_is_none_is_one_sentence(given, words, tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = MLP(4, epochs=1, random_state=0, scale_inputs=None).fit(X, X[:, 0])
    for dtype in ("int8", "int16"):
        with pytest.raises(ValueError, match=words):
            model.export_c(tmp_path / "net.h", dtype=dtype, input_range=given)
