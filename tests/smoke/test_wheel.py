"""What a wheel must do wherever it is installed, without the rest of the repository:

python -m pytest -c tests/smoke/pytest.ini --confcutdir tests/smoke tests/smoke
"""

import hashlib
import os
import platform
import shlex
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import numpy as np
import pytest
from cnn_core.datasets import load_digits

import cnn_core
from cnn_core import MLP

# Of the weights after 3 epochs, on every processor, system and number of threads.
TRAINED = "d56c7f679170f0185056cbbc0865e5164b741ec405d912f6854717d9d3d172b2"


def trained(**options):
    X, y = load_digits()
    settings = {"hidden": (48, 20), "epochs": 3, "scale_inputs": "minmax", "random_state": 0}
    return MLP(**settings, **options).fit(X, y)


def digest(model):
    arrays = [*model.weights_, *model.biases_]
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_training_gives_the_bits_of_every_other_machine(n_threads):
    assert digest(trained(n_threads=n_threads)) == TRAINED


@pytest.mark.skipif(sys.platform == "emscripten", reason="has no processes")
@pytest.mark.parametrize("name", cnn_core.instruction_sets())
def test_every_instruction_set_of_this_processor_gives_them(name):
    python = shlex.split(os.environ.get("SMOKE_PYTHON", "")) or [sys.executable]
    code = f"import sys; sys.path[:0] = {sys.path!r}; import test_wheel as t; "
    code += "print(t.cnn_core.instruction_set(), t.digest(t.trained()))"
    done = subprocess.run(
        [*python, "-c", code],
        env={**os.environ, "CNN_CORE_ISA": name, "PYTHONPATH": os.path.dirname(__file__)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [name, TRAINED]


def test_the_instruction_sets_of_this_processor_are_found():
    try:
        with open("/proc/cpuinfo", encoding="ascii") as file:
            words = file.read().split()
    except OSError:
        pytest.skip("needs Linux")
    found = cnn_core.instruction_sets()
    assert ("avx2" in found) == (platform.machine() == "x86_64" and {"avx2", "fma"} <= {*words})
    assert ("neon" in found) == (platform.machine() == "aarch64")


def test_one_row_and_many_agree_and_a_file_keeps_them(tmp_path):
    model, (X, _) = trained(), load_digits()
    many = model.predict_proba(X[:100])
    for dtype in (np.float64, np.float32):
        one = model.predict_one(X[7].astype(dtype))
        assert one.tobytes() == many[7].tobytes()
    model.save(tmp_path / "digits.safetensors")
    loaded = cnn_core.load(tmp_path / "digits.safetensors")
    assert loaded.predict_proba(X[:100]).tobytes() == many.tobytes()
    assert model.score(X, load_digits()[1]) > 0.8


@pytest.mark.skipif(sys.platform == "emscripten", reason="has no threads")
def test_threads_that_do_everything_at_once_get_the_bits_of_one():
    model, (X, _) = trained(), load_digits()
    rows, probabilities = X[:200].tolist(), model.predict_proba(X[:200])
    slope = model.input_gradient(X[7], output=3)

    def everything(_):
        own = digest(trained(n_threads=2))
        one = np.array([model.predict_one(row) for row in rows])
        slopes = {model.input_gradient(X[7], output=3).tobytes() for _ in range(200)}
        return own, one.tobytes(), slopes

    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(everything, range(8)):
            assert result == (TRAINED, probabilities.tobytes(), {slope.tobytes()})


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="has a GIL")
def test_a_free_threaded_python_stays_without_a_gil():
    assert not sys._is_gil_enabled()


def test_the_command_runs(capsys, monkeypatch):
    from cnn_core.__main__ import main

    monkeypatch.setattr(sys, "argv", ["cnn-core", "demo", "--epochs", "1"])
    assert not main()
    assert "Test accuracy" in capsys.readouterr().out


def test_the_version_is_that_of_the_wheel():
    assert cnn_core.__version__ == version("cnn-core")
