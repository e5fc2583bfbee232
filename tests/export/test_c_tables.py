"""Headers of tables and of means give the bits of predict."""

import ctypes
import shutil
import subprocess
import sys

import numpy as np
import pytest
from cnn_core.embeddings import Embedding
from export_cases import struct_rows, table

from cnn_core import MLP, Ensemble, TabularMLP

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32" or not shutil.which("gcc"), reason="needs gcc"),
    pytest.mark.filterwarnings("ignore"),
]
PLAIN = {"int": "category"}
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]


def library(folder, model, *flags):
    """The header as a shared library, and what its own test prints."""
    model.export_c(folder / "net.h")
    (folder / "net.c").write_text('#include "net.h"\n')
    (folder / "lib.c").write_text(
        """#include "net.h"
void run(int n, const net_row *x, REAL *y) {
    static net_work work;
    for (int r = 0; r < n; r++) net_forward(x + r, y + r * NET_OUTPUTS, &work);
}
int32_t code(const char *text) { return net_column_int_code(text); }
int32_t code_of(double number) { return net_column_int_code_of(number); }
int32_t flag(const char *text) { return net_flag_code(text); }
int64_t date(int y, int m, int d, double s) { return net_date(y, m, d, s); }
"""
    )
    real = "double" if model.predict_one(first(table(1))).dtype == "f8" else "float"
    test = ["gcc", "-std=c99", *STRICT, "-DNET_TEST", "net.c", "-o", "net", "-lm"]
    shared = ["gcc", "-O1", f"-DREAL={real}", "-shared", "-fPIC", "lib.c", "-o", "lib.so"]
    subprocess.run(test, cwd=folder, check=True)
    subprocess.run([*shared, *flags, "-lm"], cwd=folder, check=True)
    told = subprocess.run(["./net"], cwd=folder, check=True, capture_output=True, text=True)
    return ctypes.CDLL(str(folder / "lib.so")), told.stdout


def first(given):
    return {name: values[0] for name, values in given.items()}


def of_table(kind, dtype="float32"):
    given, rng = table(300), np.random.default_rng(1)
    y = rng.normal(size=300) if kind != "classes" else rng.integers(0, 3, 300)
    how = dict(epochs=2, dtype=dtype)
    if kind == "mean":
        each = [MLP(k, columns=PLAIN, random_state=k, **how).fit(given, y) for k in (3, 4, 5)]
        return Ensemble(each)
    columns = {"shop": "embedding", "int": Embedding(3)} if kind == "classes" else PLAIN
    numeric = "periodic" if kind == "classes" else None
    model = MLP(6, columns=columns, random_state=0, numeric_embedding=numeric, **how)
    return model.fit(given, y)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["numbers", "classes", "mean"])
def test_tables_give_the_bits_of_predict(tmp_path, kind, dtype):
    model = of_table(kind, dtype)
    lib, told = library(tmp_path, model)
    assert "right, largest difference 0\n" in told
    given = table(1000, seed=2)
    given["int"][0], given["age"][:3] = "unknown", [1e30, -0.0, 1e-310]
    wanted = model.forward(given)
    rows, y = struct_rows(model.columns_, given), np.empty_like(wanted)
    lib.run(len(rows), ctypes.c_void_p(rows.ctypes.data), ctypes.c_void_p(y.ctypes.data))
    assert y.tobytes() == wanted.tobytes()


def test_texts_numbers_and_dates_become_what_rows_hold(tmp_path):
    lib, _ = library(tmp_path, of_table("numbers"))
    lib.code_of.argtypes, lib.date.argtypes = (
        [ctypes.c_double],
        [*[ctypes.c_int] * 3, ctypes.c_double],
    )
    lib.date.restype = ctypes.c_int64
    assert [lib.code(one) for one in (b"0", b"11", b"9", b"", b"12", None)] == [
        0,
        3,
        11,
        12,
        12,
        -1,
    ]
    assert [lib.code_of(one) for one in (0.0, 11.0, 12.0, 0.5, np.nan)] == [0, 3, 12, 12, -1]
    assert [lib.flag(one) for one in (b"True", b"FALSE", b"1", b"yes")] == [1, 0, 1, 2]
    for day in ("1970-01-01", "2024-02-29", "1600-03-01", "-0400-12-31", "9999-12-31"):
        year, month, date = day.rsplit("-", 2)
        wanted = np.datetime64(day, "us").astype("i8") + 1500000
        assert lib.date(int(year), int(month), int(date), 1.5) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("y", ["classes", "numbers"])
def test_means_of_matrices_and_the_recipe_for_tables_give_theirs(tmp_path, y):
    rng = np.random.default_rng(3)
    X, target = rng.normal(size=(120, 3)), rng.normal(size=120)
    if y == "classes":
        target = np.digitize(target, (-0.5, 0.5))
    how = ((3, "standard"), (4, None), (5, "robust_clip"), (6, "robust_clip"), (2, "minmax"))
    each = [MLP(h, epochs=2, random_state=h, scale_inputs=s).fit(X, target) for h, s in how]
    recipe = TabularMLP(members=2, max_seconds=1, random_state=0).fit(table(120), target)
    for model in (Ensemble(each), recipe):
        model.export_c(tmp_path / "net.h")
        (tmp_path / "net.c").write_text('#include "net.h"\n')
        command = ["gcc", "-std=c99", *STRICT, "-DNET_TEST", "net.c", "-o", "net", "-lm"]
        subprocess.run(command, cwd=tmp_path, check=True)
        told = subprocess.run(["./net"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert "right, largest difference 0\n" in told.stdout
