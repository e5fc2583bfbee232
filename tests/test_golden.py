"""Golden runs: on every instruction set the bits that are recorded in golden/hashes.json. What to
do when they change stands in golden/record.py."""

import importlib.util
import json

import numpy as np
import pytest
from golden import record
from golden.results import PARTS, digest, hashes_of
from golden.runs import RUNS

import cnn_core
from cnn_core import _cpu

RECORDED = record.read()
SETS = _cpu.instruction_sets()
#: All numbers of threads on the fastest instruction set, the largest on the others.
CASES = [
    (isa, name, n_threads)
    for isa in SETS
    for name, run in RUNS.items()
    for n_threads in (run.threads if isa == SETS[0] else run.threads[-1:])
]


@pytest.mark.parametrize(
    "isa, name, n_threads",
    [
        pytest.param(
            *case,
            id="{}, {}, threads {}".format(*case),
            marks=[] if case[0] == SETS[0] else pytest.mark.slow,
        )
        for case in CASES
    ],
    indirect=["isa"],
)
def test_the_bits_are_those_that_are_recorded(isa, name, n_threads):
    assert name in RECORDED, f"no hashes of {name!r}: run tests/golden/record.py"
    found = hashes_of(RUNS[name], n_threads)
    if found != RECORDED[name]:
        differ = record.differing(RECORDED[name], found)
        pytest.fail(
            f"golden run {name!r}, {isa}, n_threads {n_threads}: other bits in {differ}",
            pytrace=False,
        )


@pytest.mark.skipif(not importlib.util.find_spec("sklearn"), reason="needs scikit-learn")
def test_every_recorded_run_is_still_run():
    assert set(RECORDED) == set(RUNS)


def test_a_hash_sees_one_bit():
    x = np.arange(6.0)
    seen = [digest(x), digest(x.reshape(2, 3)), digest(x.astype("f4")), digest(x.tolist())]
    seen += [digest(-0.0), digest(0.0), digest(0), digest("0"), digest(None), digest([[], 0])]
    for i in range(6):
        other = x.copy()
        other[i] = np.nextafter(other[i], 9)
        seen.append(digest(other))
    assert len(set(seen)) == len(seen)
    assert digest(np.array(-np.nan)) == digest(np.array(np.nan))


def test_the_recorder_overwrites_only_when_asked(tmp_path, monkeypatch, capsys):
    name = "labels of bools, float32"
    wrong = {**RECORDED, name: {**RECORDED[name], "history": "0" * 16}}
    monkeypatch.setattr(record, "FILE", tmp_path / "hashes.json")
    record.write(wrong)
    assert record.main(["--only", name]) == 1
    assert f"changed   {name}: history\n" in capsys.readouterr().out
    assert record.read() == wrong
    assert record.main(["--only", name, "--overwrite"]) == 0
    assert record.read() == RECORDED
    del wrong[name]
    record.write(wrong)
    assert record.main(["--only", name]) == 0
    assert f"new       {name}\n" in capsys.readouterr().out
    assert record.read() == RECORDED
    assert json.loads(record.FILE.read_text())["version"] == cnn_core.bits
    assert [*RECORDED[name]] == list(PARTS)
