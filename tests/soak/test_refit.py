"""A small version of `refit.py`: no answer during a refit belongs to no fit, and none raises."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("refit", Path(__file__).with_name("refit.py"))
refit = importlib.util.module_from_spec(spec)
spec.loader.exec_module(refit)


@pytest.mark.parametrize("threads", refit.THREADS)
@pytest.mark.parametrize("subject", ["mlp", "mlp, 2 tasks"])
def test_answers_of_an_mlp_during_refits_are_those_of_a_whole_fit(subject, threads):
    for use in refit.SUBJECTS[subject][3]:
        torn, errors, fits = refit.soak(subject, use, threads, 300)
        assert (torn, errors) == (0, 0) and fits >= refit.FITS, use
