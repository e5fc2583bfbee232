"""Checkpoints whose writing fails: the file is the old one or the new one, and no training is
lost."""

import errno
import os
import sys
import warnings
from functools import partial

import pytest
from checkpoint_cases import Interrupt
from reliability_cases import CLASSES, X, answers, failing_call

from cnn_core import MLP, load

if sys.platform == "win32":
    pytest.skip("its calls are others", allow_module_level=True)


def mlp(**more):
    return MLP((4,), epochs=4, random_state=0, **more)


def drop_in(**more):
    sklearn = pytest.importorskip("cnn_core.sklearn")
    return sklearn.MLPClassifier((4,), max_iter=4, random_state=0, **more)


@pytest.mark.slow
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace", "fchmod"])
@pytest.mark.parametrize("make", [mlp, drop_in])
@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_write_that_fails_costs_no_training_and_no_checkpoint(
    make, goes_on, call, error, tmp_path, monkeypatch
):
    path, whole = tmp_path / "run.ckpt", answers(make().fit(X, CLASSES))
    fit = partial(MLP.fit if make is mlp else type(make()).fit, X=X, y=CLASSES, checkpoint=path)
    before = None
    if goes_on:
        with pytest.raises(KeyboardInterrupt):
            fit(make(callbacks=[Interrupt(2)]), checkpoint_every="epoch")
        before = path.read_bytes()
    for at in range(60):
        path.unlink(missing_ok=True)
        if goes_on:
            path.write_bytes(before)
        model = make()
        with monkeypatch.context() as patch, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            calls = failing_call(patch, call, at, error)
            try:
                fit(model, checkpoint_every="epoch")
                failed = None
            except OSError as refusal:
                failed = refusal
        said = [str(one.message) for one in caught if "run.ckpt" in str(one.message)]
        if failed is not None:  # the first one
            assert failed.errno == error and not said and not hasattr(model, "n_features_in_")
        else:
            assert answers(model) == whole
        if said:
            assert len(said) == 1 and os.strerror(error) in said[0]
        assert os.listdir(tmp_path) in ([], ["run.ckpt"])
        if path.exists():  # the one before, or the new one
            load(path)
        assert path.exists() or failed is not None
        assert answers(fit(make())) == whole
        if len(calls) <= at:
            break
    else:
        pytest.fail("more calls than the checkpoints of four epochs make")
    assert at > (0 if call == "fchmod" else 4 - goes_on)


def test_a_training_whose_history_no_file_can_hold_goes_on(tmp_path, monkeypatch):
    from cnn_core.files import strict_json

    path = tmp_path / "run.ckpt"
    monkeypatch.setattr(strict_json, "CONTAINERS", 10**6)
    with monkeypatch.context() as patch:

        def forbid(model, epoch, logs):
            patch.setattr(strict_json, "CONTAINERS", 1 if epoch == 2 else 10**6)

        with pytest.warns(UserWarning, match="cannot be written: .* lists and objects"):
            model = mlp(callbacks=forbid).fit(X, CLASSES, checkpoint=path, checkpoint_every="epoch")
    assert answers(model) == answers(mlp().fit(X, CLASSES)) == answers(load(path))
