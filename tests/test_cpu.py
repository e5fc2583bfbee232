"""Instruction sets: which there are, how one is chosen and forced, and that the processor's modes
stay untouched."""

import os
import subprocess
import sys

import numpy as np
import pytest

from cnn_core import _cpu

KNOWN = {"avx512", "avx2", "neon", "generic"}


def run_python(code, **environment):
    """A fresh interpreter, without the CNN_CORE_ISA that these tests may run under."""
    inherited = {name: value for name, value in os.environ.items() if name != "CNN_CORE_ISA"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_generic_is_always_there_and_last():
    names = _cpu.instruction_sets()
    assert names[-1] == "generic"
    assert len(set(names)) == len(names)
    assert set(names) <= KNOWN


def test_the_fastest_is_chosen_at_import():
    run = run_python(
        "from cnn_core import _cpu; print(_cpu.instruction_set(), _cpu.instruction_sets()[0])"
    )
    assert run.returncode == 0, run.stderr
    chosen, fastest = run.stdout.split()
    assert chosen == fastest


@pytest.mark.parametrize("name", _cpu.instruction_sets())
def test_the_environment_forces_an_instruction_set(name):
    run = run_python("from cnn_core import _cpu; print(_cpu.instruction_set())", CNN_CORE_ISA=name)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == name


def test_forcing_an_unknown_instruction_set_fails_the_import_and_lists_what_there_is():
    run = run_python("from cnn_core import _cpu", CNN_CORE_ISA="sse9")
    assert run.returncode != 0
    last_line = run.stderr.strip().splitlines()[-1]
    assert last_line.startswith("ImportError")
    assert "CNN_CORE_ISA" in last_line and "'sse9'" in last_line
    for name in _cpu.instruction_sets():
        assert name in last_line


def test_switching_takes_effect_and_returns_the_name_before():
    first = _cpu.instruction_set()
    try:
        for name in _cpu.instruction_sets():
            before = _cpu.instruction_set()
            assert _cpu.use_instruction_set(name) == before
            assert _cpu.instruction_set() == name
    finally:
        _cpu.use_instruction_set(first)


@pytest.mark.parametrize("name", ["sse9", "", "GENERIC"])
def test_switching_to_an_unknown_instruction_set_changes_nothing(name):
    before = _cpu.instruction_set()
    with pytest.raises(ValueError) as error:
        _cpu.use_instruction_set(name)
    assert repr(name) in str(error.value)
    for available in _cpu.instruction_sets():
        assert available in str(error.value)
    assert _cpu.instruction_set() == before


def test_subnormals_stay_subnormals_after_import():
    # Computed at run time: a literal 1e-39 would have been rounded by the compiler, in whatever
    # mode that ran.
    code = (
        "import numpy as np; from cnn_core import _cpu, _linalg, _activations, _losses, _random, "
        "_backprop, _trainer, _predict, _dropout;"
        "print(float(np.float32('1e-20') * np.float32('1e-19')), float('1e-200') * float('1e-110'))"
    )
    run = run_python(code)
    assert run.returncode == 0, run.stderr
    small32, small64 = map(float, run.stdout.split())
    assert 0 < small32 < np.finfo(np.float32).smallest_normal
    assert 0 < small64 < np.finfo(np.float64).smallest_normal


def test_subnormals_stay_subnormals_after_a_call(isa):
    x = np.linspace(-1, 1, 16, dtype=np.float32)
    _cpu.apply("tanh", x, x)
    assert np.array(1e-39, np.float32) * np.float32(1) != 0
    assert np.array(1e-20, np.float32) * np.float32(1e-19) != 0
