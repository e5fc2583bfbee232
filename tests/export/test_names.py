"""Columns with any names, and nets whose names are alike."""

import importlib.util
import shutil
import subprocess

import numpy as np
import pytest

from cnn_core import MLP

RNG = np.random.default_rng(0)
NUMBERS, OTHERS = RNG.normal(size=(2, 60))
PAIRS = [
    ("label", "label_in"), ("label_in", "label"), ("y", "y_in"), ("label", "probabilities"),
    ("", "column"), ("", " "), ("a b", "a_b"), ("\u00e9", "\u65e5\u672c"), ("0", "1a"),
    ("int", "for"), ("a", "A"), ("a\nb", 'a"b'), ("*/", "??/"), ("\\", "a\0"), ("{x}", "%s"),
    ("'''", '"""'), ("None", "np"), ("v", "c"), ("main", "printf"), ("x" * 300, "x" * 301),
]  # fmt: skip


def fitted(first, second, y=NUMBERS):
    table = {first: NUMBERS, second: OTHERS}
    return table, MLP((), columns="auto", epochs=1, random_state=0).fit(table, y)


@pytest.mark.parametrize("first, second", PAIRS)
@pytest.mark.parametrize("y", [NUMBERS, np.where(NUMBERS > 0, "p", "n")], ids=["y", "label"])
def test_inputs_of_onnx_have_the_names_of_the_columns_that_are_free(first, second, y, tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    table, model = fitted(first, second, y)
    model.export_onnx(tmp_path / "net.onnx")
    session = runtime.InferenceSession(str(tmp_path / "net.onnx"))
    names = [one.name for one in session.get_inputs()]
    outputs = {one.name for one in session.get_outputs()}
    assert len({*names, *outputs}) == len(names) + len(outputs)
    for name, given in zip((first, second), names):
        assert given == name or name in outputs | {""}
    feed = dict(zip(names, (one.astype(np.float32) for one in (NUMBERS, OTHERS))))
    found, wanted = session.run(None, feed)[0].ravel(), model.predict(table)
    assert (found == wanted).all() if wanted.dtype.kind in "UO" else np.allclose(found, wanted)


@pytest.mark.parametrize("first, second", PAIRS)
def test_numpy_files_take_any_names(first, second, tmp_path):
    table, model = fitted(first, second)
    model.export_numpy(tmp_path / "net.py")
    spec = importlib.util.spec_from_file_location("net", tmp_path / "net.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert np.allclose(np.ravel(module.predict(table)), model.predict(table))


def test_a_name_that_no_file_can_hold_is_one_sentence(tmp_path):
    pytest.importorskip("onnx")
    _, model = fitted("\ud800", "b")
    with pytest.raises(ValueError, match="the column .* half of a pair"):
        model.export_onnx(tmp_path / "net.onnx")
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_headers_take_any_names_and_names_of_nets_that_are_alike_are_told(tmp_path):
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("needs a compiler")

    def compiled(*headers):
        source = "".join(f'#include "{one}"\n' for one in headers)
        (tmp_path / "all.c").write_text(f"{source}int main(void) {{ return 0; }}\n")
        words = [compiler, "-std=c99", "-Wall", "-Werror", "-Wno-unused", "-fsyntax-only", "all.c"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    for k, pair in enumerate(PAIRS):
        fitted(*(one.replace("\0", "") for one in pair))[1].export_c(
            tmp_path / f"n{k}.h", name=f"n{k}"
        )
    assert compiled(*(f"n{k}.h" for k in range(len(PAIRS))), "n0.h") == (0, "")
    _, model = fitted("a", "b")
    model.export_c(tmp_path / "upper.h", name="N0")
    code, said = compiled("n0.h", "upper.h")
    assert code and "another net is called N0 but for upper and lower case" in said
