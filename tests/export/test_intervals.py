"""Exports say of a regression what predict_interval, predict_quantiles and predict_std say: headers
to the bit, the others but for rounding."""

import importlib.util
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from cnn_core import MLP, Ensemble, Pinball

pytestmark = pytest.mark.filterwarnings("ignore")
LEVELS = (0.5, 0.9, 0.975)
FIVE = Pinball((0.05, 0.25, 0.5, 0.75, 0.95))
LOSSES = {"residuals": "mse", "normalised": "gaussian_nll", "quantiles": FIVE}
ROWS = np.random.default_rng(5).normal(size=(80, 3)) * (1, 5, 0.1) + (0, 20, 3)
Z = ROWS[:, 0] + ROWS[:, 1] / 5 - 4
NUMBERS = np.column_stack((Z, 100 * ROWS[:, 2]))
WAYS = {  # of a target, float64 or not, several networks, as they are
    "number": (Z, dict(dtype="float32", clip_outputs=True), 1),
    "numbers": (NUMBERS, dict(dtype="float64"), 1),
    "mean": (NUMBERS, dict(dtype="float32"), 2),
    "one layer": (Z, dict(dtype="float32", scale_inputs=None, scale_targets=None, hidden=()), 1),
}


def calibrated(loss, way):
    y, how, n = WAYS[way]
    how = dict(hidden=(5, 4), epochs=3, scale_inputs="standard", loss=LOSSES[loss]) | how
    models = [MLP(random_state=k, **how).fit(ROWS, y) for k in range(n)]
    return (models[0] if n == 1 else Ensemble(models)).calibrate(ROWS, y)


def passes(folder):
    """Whether a header's own test, which compares bits, finds what it must."""
    if sys.platform == "win32" or not shutil.which("gcc"):
        pytest.skip("needs gcc")
    strict = ["-O0", "-Wall", "-Wextra", "-Werror", "-pedantic", "-std=c99"]
    command = ["gcc", *strict, "-DNET_TEST", "-x", "c", folder / "net.h", "-lm", "-o", folder / "t"]
    subprocess.run(command, check=True)
    return subprocess.run([folder / "t"], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    "way", [one if one == "mean" else pytest.param(one, marks=pytest.mark.slow) for one in WAYS]
)
@pytest.mark.parametrize("loss", LOSSES)
def test_headers_have_the_bits_of_intervals_quantiles_and_deviations(tmp_path, loss, way):
    calibrated(loss, way).export_c(tmp_path / "net.h", intervals=LEVELS)
    text = (tmp_path / "net.h").read_text()
    assert "NET_INTERVAL_50 = 0, NET_INTERVAL_90 = 1, NET_INTERVAL_97_5 = 2" in text
    assert passes(tmp_path)


@pytest.mark.slow
def test_the_test_in_a_header_sees_an_interval_that_is_off_by_a_bit(tmp_path):
    calibrated("residuals", "number").export_c(tmp_path / "net.h", intervals=LEVELS)
    text = (tmp_path / "net.h").read_text()
    wrong = text.replace("low - reach", "low - reach * 0.9999999999999999")
    (tmp_path / "net.h").write_text(wrong)
    assert wrong != text and not passes(tmp_path)


def test_a_header_of_a_table_gives_intervals_that_a_program_can_read(tmp_path):
    table = {"size": Z, "colour": np.array(["red", "blue"])[(Z > 0) * 1].tolist()}
    networks = [MLP(4, epochs=2, columns="auto", random_state=k).fit(table, Z) for k in (0, 1)]
    model = Ensemble(networks).calibrate(table, Z)
    model.export_c(tmp_path / "net.h", intervals=0.9)
    assert passes(tmp_path)
    main = """#include "net.h"
#include <stdio.h>
int main(void) {
    static net_work work;
    double lower[NET_OUTPUTS], upper[NET_OUTPUTS];
    net_row row = {1.25, net_colour_code("blue")};
    net_interval(&row, NET_INTERVAL_90, lower, upper, &work);
    return printf("%.17g %.17g", lower[0], upper[0]) < 0;
}
"""
    (tmp_path / "main.c").write_text(main)
    subprocess.run(["gcc", "main.c", "-o", "main", "-lm"], cwd=tmp_path, check=True)
    told = subprocess.run([tmp_path / "main"], check=True, capture_output=True, text=True).stdout
    wanted = model.predict_interval({"size": [1.25], "colour": ["blue"]}, 0.9)[0]
    assert [float(one) for one in told.split()] == wanted.tolist()


def answers_of(model, X):
    found = {f"interval {level}": model.predict_interval(X, level) for level in LEVELS}
    for name in ("predict_quantiles", "predict_std"):
        try:
            found[name] = getattr(model, name)(X)
        except ValueError:
            assert name not in found
    return found


def of_numpy_file(path, X):
    spec = importlib.util.spec_from_file_location("net", path)
    net = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(net)
    with pytest.raises(ValueError, match="level must be one of those of this file, 0.5, 0.9, 0.97"):
        net.predict_interval(X, 0.8)
    assert len(net.predict_interval(X[:0])) == 0
    found = {f"interval {level}": net.predict_interval(X, level) for level in LEVELS}
    names = ("predict_quantiles", "predict_std")
    return found | {name: getattr(net, name)(X) for name in names if hasattr(net, name)}


def of_onnx_file(path, X, shape):
    session = pytest.importorskip("onnxruntime").InferenceSession(path)
    names = [one.name for one in session.get_outputs()]
    assert names[0] == "y" and names[-2:] == ["lower", "upper"]
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["intervals"]) == list(LEVELS)
    given = dict(zip(names, session.run(None, {"X": X}), strict=True))
    ends = np.stack((given["lower"], given["upper"]), axis=-1)
    found = {f"interval {level}": ends[..., k, :] for k, level in enumerate(LEVELS)}
    if "quantiles" in given:
        found["predict_quantiles"] = given["quantiles"]
    if "std" in given:
        found["predict_std"] = given["std"].reshape(shape)
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("loss", LOSSES)
def test_onnx_and_numpy_files_give_the_same_but_for_rounding(tmp_path, loss, way):
    pytest.importorskip("onnx")
    model, (y, how, _) = calibrated(loss, way), WAYS[way]
    model.export_onnx(tmp_path / "net.onnx", intervals=LEVELS)
    model.export_numpy(tmp_path / "net.py", intervals=LEVELS)
    X, bound = ROWS.astype(how["dtype"]), 1e-6 if how["dtype"] == "float32" else 1e-10
    wanted = answers_of(model, X)
    for found in (
        of_onnx_file(tmp_path / "net.onnx", X, y.shape),
        of_numpy_file(tmp_path / "net.py", X),
    ):
        assert found.keys() == wanted.keys()
        for name, values in found.items():
            assert values.shape == wanted[name].shape and values.dtype == np.float64
            scale = np.abs(wanted[name]).max(axis=0)  # of an output
            if name != "predict_std":
                scale = scale.max(axis=-1, keepdims=True)
            assert (np.abs(values - wanted[name]) <= bound * scale).all(), name


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_a_level_that_is_none_gives_nan_in_c(tmp_path):
    model = MLP(2, epochs=1, scale_inputs="standard").fit(ROWS.astype("f4"), Z).calibrate(ROWS, Z)
    model.export_c(tmp_path / "net.h", intervals=(0.8, 0.9))
    (tmp_path / "net.c").write_text("""#include "net.h"
    static net_work work;
    static int is_none(int level)
    {
        float x[NET_INPUTS] = {0};
        double lower[NET_OUTPUTS], upper[NET_OUTPUTS];
        net_interval(x, level, lower, upper, &work);
        return isnan(lower[0]) && isnan(upper[0]);
    }
    int main(void) { return !is_none(90) + !is_none(2) + !is_none(-1) + is_none(1) + is_none(0); }
    """)
    command = ["gcc", "-std=c99", "-Wall", "-Werror", "net.c", "-lm", "-o", "net"]
    subprocess.run(command, cwd=tmp_path, check=True)
    subprocess.run(["./net"], cwd=tmp_path, check=True)


def test_what_has_no_intervals_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "net"
    classifier = MLP(2, epochs=1).fit(ROWS, Z > 0)
    plain = MLP(2, epochs=1, scale_inputs="standard").fit(ROWS, Z)
    for write in ("export_c", "export_onnx", "export_numpy"):
        with pytest.raises(ValueError, match=rf"{write}\(intervals=...\) is for regression, but"):
            getattr(classifier, write)(path, intervals=0.9)
        with pytest.raises(ValueError, match=rf"{write}\(intervals=...\) needs a calibrated model"):
            getattr(plain, write)(path, intervals=0.9)
    known = plain.calibrate(ROWS, Z)
    for wrong, kind, words in (
        (1.0, ValueError, "intervals must be a finite number above 0 and below 1, got 1.0"),
        ("0.9", TypeError, "intervals must be a number or a list of numbers, got '0.9'"),
        (0.999, ValueError, "an interval of 99.9 % needs at least 999 rows"),
    ):
        with pytest.raises(kind, match=words):
            known.export_c(path, intervals=wrong)
    for how in (dict(train=True), dict(dtype="int8")):
        with pytest.raises(ValueError, match="intervals= goes with neither train=True"):
            known.export_c(path, intervals=0.9, **how)
    with pytest.raises(ValueError, match="intervals= goes with scaling='node'"):
        known.export_onnx(path, intervals=0.9, scaling="folded")
    assert not path.exists()


def test_weights_that_are_not_finite_are_told_alike_by_all_that_write(tmp_path):
    model = MLP(2, epochs=1, scale_inputs=None).fit(ROWS, Z)
    network = model._model().network
    network.set_layer(0, network.weights(0) * np.nan, network.bias(0))
    words = "takes nets that predict, and this one has weights that are NaN or infinite; fit it"
    for write in ("export_c", "export_onnx", "export_numpy"):
        with pytest.raises(ValueError, match=f"{write} {words}"):
            getattr(model, write)(tmp_path / "net")
    with pytest.raises(ValueError, match=f"to_sklearn {words}"):
        model.to_sklearn()
    with pytest.raises(ValueError, match="export_c takes nets that predict, and member 1 of this"):
        Ensemble([MLP(2, epochs=1).fit(ROWS, Z), model]).export_c(tmp_path / "net")
