"""A small version of `refit.py`: no answer during a refit belongs to no fit, and none raises."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("refit", Path(__file__).with_name("refit.py"))
refit = importlib.util.module_from_spec(spec)
spec.loader.exec_module(refit)


@pytest.mark.slow
@pytest.mark.parametrize("threads", refit.THREADS)
@pytest.mark.parametrize("subject", refit.SUBJECTS)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_answers_during_refits_are_those_of_a_whole_fit(subject, threads):
    if not subject.startswith("mlp"):
        pytest.importorskip("sklearn", minversion="1.7")
    for use in refit.SUBJECTS[subject][3]:
        torn, errors, fits = refit.soak(subject, use, threads, 300)
        assert (torn, errors) == (0, 0) and fits >= refit.FITS, use
