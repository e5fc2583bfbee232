"""Files that were changed at random, a few of them: `mutate.py` loads as many as one likes."""

import importlib.util
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("reads memory from /proc", allow_module_level=True)

_SPEC = importlib.util.spec_from_file_location("mutate", Path(__file__).with_name("mutate.py"))
mutate = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(mutate)

KINDS = ("plain", "first rows", "long stream", "labels of text", "python", "optimizer lbfgs",
         "learning_rate Warmup", "class weights, bytes")  # fmt: skip


@pytest.mark.slow
def test_a_changed_file_is_a_model_or_one_error():
    outcomes, failures = mutate.run(mutate.base_files(KINDS), count=1500, seed=0, jobs=1)
    assert not failures
    assert outcomes["refused"] > 900 and outcomes["trained"] > 50


@pytest.mark.slow
def test_a_changed_file_of_several_models_is_an_ensemble_or_one_error():
    files = mutate.base_files(("ensemble", "ensemble of tables", "tabular"))
    outcomes, failures = mutate.run(files, count=1000, seed=1, jobs=1)
    assert not failures
    assert outcomes["refused"] > 500 and outcomes["loaded"] > 30


def test_every_change_makes_other_files_and_the_same_from_one_seed():
    files = mutate.base_files(("plain",))
    made = [mutate.mutated(number, 0, files) for number in range(200)]
    assert made == [mutate.mutated(number, 0, files) for number in range(200)]
    assert len(set(made) - set(files)) > 150


@pytest.mark.slow
def test_a_child_that_dies_or_hangs_is_a_failure(monkeypatch, tmp_path):
    script = tmp_path / "mutate.py"
    script.write_text(
        "import os, sys, time\n"
        "first = int(sys.argv[sys.argv.index('--first') + 1])\n"
        "for n in range(first, 4):\n"
        "    print('start', n, flush=True)\n"
        "    if n == 1: os.abort()\n"
        "    if n == 2: time.sleep(60)\n"
        "    print('done', n, 'refused', flush=True)\n"
    )
    monkeypatch.setattr(mutate, "__file__", str(script))
    monkeypatch.setattr(mutate, "HANGS", -58.0)
    outcomes, failures = mutate.run([b""], count=4, seed=0, jobs=1)
    assert failures == [(1, "dies with -6"), (2, "hangs")]
    assert outcomes == {"refused": 2, "FAILED": 2}


@pytest.mark.slow
def test_a_changed_checkpoint_is_gone_on_from_or_one_error():
    from checkpoint_cases import base_files

    outcomes, failures = mutate.run(base_files(), count=300, seed=0, jobs=1, what="checkpoints")
    assert not failures
    assert outcomes["refused by resume; refused by fit"] > 200
    assert outcomes["ended by resume; ended by fit"] > 30
