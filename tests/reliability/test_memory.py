"""Memory that cannot be had: each allocation fails once, and the process lives, the model is as it
was, and goes on as if nothing had been."""

import copy
import ctypes
import shlex
import shutil
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path

import numpy as np
import pytest
from reliability_cases import (
    ACTIONS,
    CLASSES,
    MODELS,
    OF_CHECKPOINTS,
    X,
    act,
    answers,
    fitted,
    model_actions,
    prepare,
    run_python,
)

from cnn_core import MLP, _memory

MOST = 5000  # more allocations than any case has


class FailingCore:
    """Allocations of the native core fail."""

    def start(self, n):
        _memory.fail_after = n

    def stop(self):
        """Whether the n-th allocation was asked for."""
        failed, _memory.fail_after = _memory.fail_after is None, None
        return failed


class FailingNumPy:
    """Allocations of NumPy's arrays fail, those of the core among them.

    Parameters
    ----------
    library : str
        fail_numpy.c, compiled.
    lasting : bool
        Whether all allocations after the n-th fail, too.
    """

    def __init__(self, library, lasting):
        from numpy._core import _multiarray_umath

        self.library, self.lasting = ctypes.CDLL(library), lasting
        self.library.left.restype = ctypes.c_long
        python = ctypes.pythonapi
        python.PyCapsule_GetPointer.restype = ctypes.c_void_p
        python.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
        python.PyCapsule_New.restype = ctypes.py_object
        python.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        table = python.PyCapsule_GetPointer(_multiarray_umath._ARRAY_API, None)
        handler = ctypes.addressof(ctypes.c_char.in_dll(self.library, "handler"))
        self.failing = python.PyCapsule_New(handler, b"mem_handler", None)
        # PyDataMem_SetHandler, by its place in NumPy's C interface.
        address = ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))[304]
        self.set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(address)

    def start(self, n):
        self.usual = self.set_handler(self.failing)
        self.library.fail_at(ctypes.c_long(n), ctypes.c_long(self.lasting))

    def stop(self):
        failed = self.library.left() == 0
        self.library.fail_at(ctypes.c_long(0), ctypes.c_long(0))
        self.set_handler(self.usual)
        return failed


def fail_each(failing, name, action, folder):
    """Have the n-th allocation of an action fail for n = 1, 2, ... until none does. A checkpoint
    that is there afterwards leads to the bits of a fit that nothing has interrupted.

    Returns
    -------
    int
        How many have failed.
    """
    model, y = fitted(name)
    prepare(model, y, folder)
    before, params, untouched = answers(model), str(model.get_params()), copy.deepcopy(model)
    other = copy.deepcopy(model)
    act("fit", other, y)
    fresh = answers(other)
    for n in range(1, MOST):
        failing.start(n)
        try:
            act(action, model, y)
            succeeded = True
        except MemoryError:
            succeeded = False
        finally:
            failed = failing.stop()
        assert succeeded != failed, f"allocation {n} failed without a MemoryError"
        if succeeded:
            break
        assert answers(model) == before, f"allocation {n} failed and changed the model"
        assert str(model.get_params()) == params
        if action in OF_CHECKPOINTS and Path(model.checkpoint).exists():
            other = copy.deepcopy(untouched)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                other.fit(X, y, checkpoint=model.checkpoint)
            assert answers(other) == fresh, f"allocation {n} failed and spoilt the checkpoint"
    assert n < MOST - 1
    if action in OF_CHECKPOINTS:
        assert answers(model) == fresh
    if action in ("fit", "partial_fit"):
        act(action, untouched, y)
        assert answers(model) == answers(untouched)
    return n - 1


def skip_without_sklearn(name):
    if name.startswith("MLP"):
        pytest.importorskip("sklearn", minversion="1.7")


@pytest.mark.slow
@pytest.mark.parametrize("name, action", list(model_actions()))
def test_every_allocation_of_the_core_that_fails_leaves_the_model_alone(name, action, tmp_path):
    skip_without_sklearn(name)
    failures = fail_each(FailingCore(), name, action, tmp_path)
    assert failures >= {"fit": 20, "partial_fit": 20, "predict": 1}.get(action, 0)


def test_a_first_fit_without_memory_leaves_an_unfitted_model():
    model = MLP(4, epochs=2, random_state=0)
    _memory.fail_after = 5
    try:
        with pytest.raises(MemoryError):
            model.fit(X, CLASSES)
    finally:
        _memory.fail_after = None
    assert not hasattr(model, "history_")
    assert answers(model.fit(X, CLASSES)) == answers(
        MLP(4, epochs=2, random_state=0).fit(X, CLASSES)
    )


def compiled(source, target):
    """A C source of this folder as a library."""
    words = shlex.split(sysconfig.get_config_var("CC") or "cc")
    if not shutil.which(words[0]):
        pytest.skip("needs a C compiler")
    path = Path(__file__).parent / "native" / source
    command = [*words, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", path, "-o", target, "-ldl"]
    subprocess.run(list(map(str, command)), check=True)
    return str(target)


IN_A_PROCESS = """
import sys
sys.path[:0] = {paths}
import test_memory
failing = test_memory.FailingNumPy({library!r}, {lasting})
print(*[test_memory.fail_each(failing, {name!r}, action, {folder!r}) for action in {actions}])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="compiles a library as Linux has them")
@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_every_array_that_cannot_be_had_leaves_the_model_alone(name, lasting, tmp_path):
    skip_without_sklearn(name)
    library = compiled("fail_numpy.c", tmp_path / "fail_numpy.so")
    actions = [action for model, action in model_actions() if model == name]
    paths = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
    code = IN_A_PROCESS.format(
        paths=paths,
        library=library,
        lasting=int(lasting),
        name=name,
        actions=actions,
        folder=str(tmp_path),
    )
    failures = dict(zip(actions, map(int, run_python(code, timeout=300))))
    assert failures["fit"] >= 100 and failures["predict"] >= 5


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="compiles a library as Linux has them")
def test_threads_that_cannot_be_started_are_done_without(tmp_path):
    library = compiled("no_threads.c", tmp_path / "no_threads.so")
    import os

    code = """
import numpy as np
from cnn_core import MLP
X = np.sin(np.arange(600 * 130.0)).reshape(600, 130).astype("float32")
def bits(threads):
    model = MLP((200, 90), epochs=2, batch_size=128, random_state=0, n_threads=threads)
    return model.fit(X, np.arange(600) % 3).forward(X).tobytes()
print(bits(1) == bits(4) == bits(8))
"""
    for allowed in ("0", "1", "3"):
        environment = {**os.environ, "LD_PRELOAD": library, "THREADS_ALLOWED": allowed}
        assert run_python(code, env=environment) == ["True"]


# Sizes beyond all memory


@pytest.mark.parametrize("hidden", [2**40, 2**62, 2**63, 2**70, (2**40, 2**40)])
def test_layers_beyond_all_memory_are_refused_by_their_sizes(hidden):
    model, y = fitted("classes")
    before = answers(model)
    size = hidden[0] if isinstance(hidden, tuple) else hidden
    with pytest.raises(MemoryError, match=rf"layers of \(6, {size}, .*cannot allocate [\d,]+ byte"):
        model.set_params(hidden=hidden).fit(X, y)
    assert answers(model) == before


@pytest.mark.parametrize("rows", [2**40, 2**57, 2**60])
@pytest.mark.parametrize("action", ["predict", "predict_proba", "score", "evaluate", "fit"])
@pytest.mark.parametrize("name", ["classes", "MLPClassifier"])
def test_rows_beyond_all_memory_are_refused_by_their_number(name, action, rows):
    # A view that repeats one row.
    skip_without_sklearn(name)
    model, _ = fitted(name)
    if not hasattr(model, action):
        pytest.skip("not of this model")
    before = answers(model)
    model.set_params(**({} if name == "classes" else {"warm_start": False}))
    many = np.broadcast_to(np.zeros((1, 6), np.int8), (rows, 6))
    given = (many,) if "predict" in action else (many, np.broadcast_to(np.int8(1), (rows,)))
    with pytest.raises(MemoryError, match=f"[Xy] has {rows:,} rows: cannot allocate"):
        getattr(model, action)(*given)
    assert answers(model) == before


def test_a_batch_beyond_all_rows_is_all_rows():
    all_rows, many = (
        MLP(4, epochs=2, random_state=0, batch_size=size).fit(X, CLASSES) for size in (60, 2**62)
    )
    assert answers(all_rows) == answers(many)


def test_each_action_is_tried():
    assert {action for _, action in model_actions()} == set(ACTIONS)
