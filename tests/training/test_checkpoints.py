"""Checkpoints: a training that was interrupted ends with the bits of one that was not."""

import datetime
import io
import os
import warnings

import numpy as np
import pytest
from checkpoint_cases import Interrupt, InterruptStep
from cnn_core.io import RowBlocks
from cnn_core.training.monitor import LossAndMetric

import cnn_core
from cnn_core import (
    LBFGS,
    MLP,
    SGD,
    Callback,
    InverseTime,
    MLPClassifier,
    MLPRegressor,
    ModelFormatError,
    OneCycle,
    ReduceOnPlateau,
    Warmup,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)) * [1, 100, 1, 1]
Y = X[:, 0] * X[:, 2]
LABELS = np.array(["a", "b", "c"])[RNG.integers(0, 3, 200)]
EPOCHS = 9

RUNS = {
    "adam": {},
    "momentum": dict(optimizer=SGD(0.01, momentum=0.9, nesterov=True)),
    "nadam": dict(optimizer="nadam"),
    "rprop": dict(optimizer="rprop"),
    "L-BFGS": dict(optimizer=LBFGS()),
    "a schedule of steps": dict(learning_rate=OneCycle(0.01)),
    "a schedule that looks back": dict(learning_rate=Warmup(2, ReduceOnPlateau(patience=1))),
    "early stopping": dict(early_stopping=True, patience=2, epochs=40),
    "tol": dict(tol=1e-3, patience=2, epochs=40),
    "both rules": dict(early_stopping=True, tol=1e-4, patience=3, epochs=40),
    "dropout": dict(dropout=0.2),
    "penalties and limits": dict(l1=1e-4, l2=1e-3, clip_norm=1.0, max_norm=3.0),
    "float64": dict(dtype="float64"),
    "steps": dict(step_history=True),
    "in order": dict(shuffle=False),
    "no biases": dict(bias=False),
    "the reference implementation": dict(backend="python", hidden=3),
    "its L-BFGS": dict(backend="python", hidden=3, optimizer="lbfgs"),
}


def history(model):
    return {name: values for name, values in model.history_.items() if name != "seconds"}


def interrupted(make, fit, epochs=(2, 3, 7)):
    """Trainings that end after these epochs; each goes on from the one before."""
    for epoch in epochs:
        try:
            fit(make(callbacks=[Interrupt(epoch)]))
        except KeyboardInterrupt:
            continue


def assert_same(a, b):
    assert np.array_equal(a.parameters_, b.parameters_)
    assert history(a) == history(b)
    assert a.converged_ == b.converged_ and a.n_epochs_ == b.n_epochs_
    assert np.array_equal(a.predict(X), b.predict(X))


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("y", [Y, LABELS], ids=["numbers", "labels"])
def test_an_interrupted_training_ends_with_the_bits_of_an_uninterrupted_one(name, y, tmp_path):
    options = dict(hidden=8, epochs=EPOCHS, random_state=5) | RUNS[name]
    path = tmp_path / "run.ckpt"

    def make(**more):
        return MLP(**options | more)

    def fit(model):
        return model.fit(X, y, checkpoint=path, checkpoint_every="epoch")

    whole = make().fit(X, y)
    interrupted(make, fit)
    end = fit(make(n_threads=2))
    assert_same(whole, end)
    if options.get("early_stopping"):
        assert whole.best_epoch_ == end.best_epoch_
    if options.get("step_history"):
        assert whole.step_history_ == end.step_history_
    if name != "a schedule of steps":  # whose plan is over
        ends = [model.partial_fit(X, y).parameters_ for model in (whole, end)]
        assert np.array_equal(*ends)


def test_a_seed_that_was_drawn_is_kept(tmp_path):
    path = tmp_path / "run.ckpt"
    with pytest.raises(KeyboardInterrupt):
        MLP(8, epochs=5, callbacks=[Interrupt(2)]).fit(
            X, Y, checkpoint=path, checkpoint_every="epoch"
        )
    first = path.read_bytes()
    ends = []
    for _ in range(2):
        path.write_bytes(first)
        ends.append(MLP(8, epochs=5).fit(X, Y, checkpoint=path).parameters_)
    assert np.array_equal(*ends)


def test_a_training_that_is_over_gives_its_model_without_an_epoch_more(tmp_path):
    path, seen = tmp_path / "run.ckpt", []
    done = MLP(8, epochs=3, random_state=0).fit(X, Y, checkpoint=path)
    again = MLP(
        8, epochs=3, random_state=0, callbacks=lambda model, epoch, logs: seen.append(epoch)
    )
    assert_same(done, again.fit(X, Y, checkpoint=path))
    assert not seen


@pytest.mark.parametrize("rows", [slice(None), slice(0, 150)])
def test_weights_and_validation_data_are_part_of_it(rows, tmp_path):
    path, weights = tmp_path / "run.ckpt", np.arange(200) % 3
    given = dict(sample_weight=weights, validation_data=(X[rows], Y[rows]))

    def make(**more):
        return MLP(8, epochs=6, random_state=1, **more)

    def fit(model):
        return model.fit(X, Y, checkpoint=path, checkpoint_every="2 epochs", **given)

    whole = make().fit(X, Y, **given)
    interrupted(make, fit, (3, 5))
    assert_same(whole, fit(make()))


def test_resume_needs_the_path_and_the_data_alone(tmp_path):
    path = tmp_path / "run.ckpt"
    options = dict(hidden=(5, 3), epochs=6, random_state=2, learning_rate=InverseTime(0.01))
    whole = MLPRegressor(**options).fit(X, Y)
    with pytest.raises(KeyboardInterrupt):
        MLPRegressor(callbacks=[Interrupt(4)], **options).fit(
            X, Y, checkpoint=path, checkpoint_every="epoch"
        )
    end = MLP.resume(path, X, Y)
    assert type(end) is MLPRegressor and repr(end) == repr(whole)
    assert_same(whole, end)
    with pytest.raises(FileNotFoundError):
        MLP.resume(tmp_path / "none.ckpt", X, Y)
    with pytest.raises(
        ModelFormatError,
        match=r"run\.ckpt: it holds a cnn_core.MLPRegressor, and not a cnn_core.MLPClassifier",
    ):
        MLPClassifier.resume(path, X, Y)


def test_a_warm_start_can_be_interrupted(tmp_path):
    path = tmp_path / "run.ckpt"

    def make(**more):
        model = MLP(8, epochs=4, random_state=1, warm_start=True).fit(X, Y)
        return model.set_params(**more)

    def fit(model):
        return model.fit(X, Y, checkpoint=path, checkpoint_every="epoch")

    whole = make().fit(X, Y)
    assert whole.n_epochs_ == 8
    interrupted(make, fit, (5, 6))
    assert_same(whole, fit(make()))


def warm(epochs=4, **more):
    return MLP(8, epochs=epochs, random_state=1, warm_start=True, **more).fit(X, Y)


def other_weights(model):
    model.weights_ = [W + 1 for W in model.weights_]
    return model


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    "begin",
    [
        lambda: warm(5),
        lambda: warm().fit(X, Y),
        lambda: warm().partial_fit(X, Y),
        lambda: other_weights(warm()),
        lambda: MLP(8, epochs=4, random_state=1, warm_start=True).initialize(X, Y),
        lambda: warm(early_stopping=True).set_params(early_stopping=False),
    ],
)
def test_a_warm_start_from_other_weights_is_refused(begin, finished, tmp_path):
    path, first = tmp_path / "run.ckpt", warm()
    if finished:
        first.fit(X, Y, checkpoint=path)
    else:
        interrupted(
            first.set_params,
            lambda model: model.fit(X, Y, checkpoint=path, checkpoint_every="epoch"),
            (6,),
        )
    other = begin().set_params(epochs=4)
    before, file = other.parameters_, path.read_bytes()
    with pytest.raises(ValueError, match="began with other weights .* take another path"):
        other.fit(X, Y, checkpoint=path)
    assert np.array_equal(other.parameters_, before) and path.read_bytes() == file


def test_a_warm_start_goes_on_from_what_it_has_come_to(tmp_path):
    path, whole = tmp_path / "run.ckpt", warm(early_stopping=True).fit(X, Y)
    model = warm(early_stopping=True)
    interrupted(
        model.set_params,
        lambda model: model.fit(X, Y, checkpoint=path, checkpoint_every="epoch"),
        (5, 7),
    )
    copy = path.read_bytes()
    assert_same(whole, model.set_params(callbacks=()).fit(X, Y, checkpoint=path))
    path.write_bytes(copy)
    for _ in range(2):  # the second time it is over
        assert_same(whole, MLP.resume(path, X, Y))
    with pytest.raises(ValueError, match="began with other weights"):
        whole.fit(X, Y, checkpoint=path)  # a third training


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(epochs=20), r"with epochs=6, and now it is epochs=20; set it back"),
        (dict(hidden=(5, 3)), r"with hidden=\(5,\), and now it is hidden=\(5, 3\)"),
        (
            dict(epochs=20, hidden=(5, 3)),
            r"with hidden=\(5,\), epochs=6, and now it is hidden=\(5, 3\), epochs=20; set them",
        ),
        (dict(learning_rate=0.1), "with learning_rate=None, and now it is learning_rate=0.1"),
        (dict(optimizer="sgd"), "with optimizer='adam', and now it is optimizer='sgd'"),
        (dict(random_state=7), "with random_state=1, and now it is random_state=7"),
        (dict(scale_inputs=None), "with scale_inputs='auto', and now it is scale_inputs=None"),
    ],
)
def test_other_parameters_are_named(change, message, tmp_path):
    path, options = tmp_path / "run.ckpt", dict(hidden=(5,), epochs=6, random_state=1)
    MLP(**options).fit(X, Y, checkpoint=path)
    model = MLP(**options | change)
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y, checkpoint=path)
    assert not hasattr(model, "weights_")


@pytest.mark.parametrize(
    ("given", "part"),
    [
        (dict(X=X * 1.001), "X"),
        (dict(X=X[::-1].copy()), "X"),
        (
            dict(X=X[:100], y=Y[:100]),
            r"X differs, of shape \(200, 4\) then and \(100, 4\) now, y",
        ),
        (dict(y=Y + 1e-3), "y"),
        (dict(sample_weight=np.arange(200.0)), "sample_weight"),
        (dict(validation_data=(X, Y)), "validation_data"),
    ],
)
def test_other_data_are_named(given, part, tmp_path):
    path, model = tmp_path / "run.ckpt", MLP(5, epochs=3, random_state=1)
    model.fit(X, Y, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"on other data: {part} differs"):
        MLP(5, epochs=3, random_state=1).fit(**dict(X=X, y=Y) | given, checkpoint=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (dict(X=X[:, :3]), "X has 3 features, but the model was fitted with 4"),
        (dict(y=np.where(Y > 0, "a", "b")), "y has the unknown class .*; other classes need a new"),
        (dict(X=np.where(X[7, 1] == X, np.nan, X)), "X has nan at row 7, column 1"),
        (dict(validation_data=(X[:, :2], Y > 0)), "has 2 features"),
    ],
)
def test_data_that_do_not_go_with_a_checkpoint_name_it(given, reason, tmp_path):
    path, options = tmp_path / "run.ckpt", dict(epochs=3, random_state=1)
    MLP(5, **options).fit(X, Y > 0, checkpoint=path)
    with pytest.raises(ValueError, match=f"^the checkpoint {path} cannot go on .*{reason}") as seen:
        MLP(5, **options).fit(**dict(X=X, y=Y > 0) | given, checkpoint=path)
    assert str(seen.value).endswith("; give those of its training, or take another path")
    assert "warm_start" not in str(seen.value)


@pytest.mark.parametrize("form", ["dict", "array", "blocks"])
def test_a_column_that_a_training_did_not_have_is_no_part_of_it(form, tmp_path):
    def given(width):
        if form == "array":
            return X[:, :width], Y
        tables = [
            (dict(zip("abcd", X[rows, :width].T)), Y[rows])
            for rows in (slice(0, 200), slice(0, 120), slice(120, 200))
        ]
        return tables[0] if form == "dict" else (RowBlocks(tables[1:], block_rows=20), None)

    path, options = tmp_path / "run.ckpt", dict(epochs=2, columns="auto", random_state=1)
    whole = MLP(5, **options).fit(*given(3), checkpoint=path)
    with pytest.raises(ValueError, match=r"X has .* too, which was no column of the training"):
        MLP(5, **options).fit(*given(4), checkpoint=path)
    again = MLP(5, **options).fit(*given(3), checkpoint=path)
    assert np.array_equal(again.parameters_, whole.parameters_)


@pytest.mark.parametrize(
    ("every", "message"),
    [
        (-1, "checkpoint_every must be .*, got -1"),
        ("often", "must be a number of seconds, 'epoch' or such as '5 epochs', got 'often'"),
        ("0 epochs", "got '0 epochs'"),
        (None, "checkpoint_every must be a"),
        (
            np.timedelta64(5, "s"),
            "checkpoint_every must be a number of seconds, .* got np.timedelta",
        ),
        (
            datetime.timedelta(seconds=5),
            "checkpoint_every must be a number of seconds, .* got date",
        ),
    ],
)
def test_an_interval_that_is_none_is_refused_before_anything_is_done(every, message, tmp_path):
    path = tmp_path / "run.ckpt"
    with pytest.raises((ValueError, TypeError), match=message):
        MLP(5).fit(X, Y, checkpoint=path, checkpoint_every=every)
    assert not path.exists()


@pytest.mark.parametrize("path", [b"run.ckpt", io.BytesIO(), 3, "a\0b"])
def test_a_checkpoint_is_a_path(path):
    for use in (lambda: MLP(5).fit(X, Y, checkpoint=path), lambda: MLP.resume(path, X, Y)):
        with pytest.raises((TypeError, ValueError), match="a checkpoint (is a path, got|cannot)"):
            use()


def test_a_pipe_is_no_checkpoint(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="Not a regular file; a checkpoint has a file of its own"):
        MLP(5).fit(X, Y, checkpoint=path)
    with pytest.raises(OSError, match="Not a regular file; open it and load from that"):
        cnn_core.load(path)


def test_files_of_models_are_no_checkpoints_and_checkpoints_can_be_loaded(tmp_path):
    path = tmp_path / "run.ckpt"
    with pytest.raises(KeyboardInterrupt):
        MLP(8, epochs=5, random_state=1, callbacks=[Interrupt(3)]).fit(
            X, Y, checkpoint=path, checkpoint_every="epoch"
        )
    model = cnn_core.load(path)
    assert model.n_epochs_ == 3
    assert np.array_equal(model.parameters_, MLP(8, epochs=3, random_state=1).fit(X, Y).parameters_)
    model.save(path)
    with pytest.raises(ModelFormatError, match="it is the file of a model, not a checkpoint"):
        MLP(8, epochs=5, random_state=1).fit(X, Y, checkpoint=path)


def test_a_damaged_checkpoint_is_an_error_and_stays_as_it_is(tmp_path):
    path = tmp_path / "run.ckpt"
    MLP(5, epochs=2, random_state=0).fit(X, Y, checkpoint=path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelFormatError, match=str(path)):
        MLP(5, epochs=2, random_state=0).fit(X, Y, checkpoint=path)
    assert path.read_bytes() == data


def test_a_folder_that_is_gone_is_an_error_before_anything_is_trained(tmp_path):
    model = MLP(5, epochs=5, random_state=0)
    with pytest.raises(FileNotFoundError, match="gone"):
        model.fit(X, Y, checkpoint=tmp_path / "gone" / "run.ckpt")
    assert not hasattr(model, "weights_")


def test_a_checkpoint_that_cannot_be_written_costs_no_training(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    path = folder / "run.ckpt"

    def remove(model, epoch, logs):
        if epoch == 3:
            path.unlink()
            os.rmdir(folder)

    options = dict(hidden=5, epochs=5, random_state=0)
    model = MLP(**options, callbacks=remove)
    with pytest.warns(UserWarning, match=r"run\.ckpt cannot be written: .*does not exist"):
        model.fit(X, Y, checkpoint=path, checkpoint_every="epoch")
    assert_same(model, MLP(**options).fit(X, Y))


def test_other_bits_are_warned_of(tmp_path, monkeypatch):
    path = tmp_path / "run.ckpt"
    with pytest.raises(KeyboardInterrupt):
        MLP(5, epochs=4, random_state=0, callbacks=[Interrupt(3)]).fit(
            X, Y, checkpoint=path, checkpoint_every="epoch"
        )
    monkeypatch.setattr(cnn_core, "bits", cnn_core.bits + 1)
    with pytest.warns(UserWarning, match="may differ in the last bits"):
        MLP(5, epochs=4, random_state=0).fit(X, Y, checkpoint=path)


def test_nothing_is_said_and_no_other_file_is_left(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLP(5, epochs=4, random_state=0).fit(
            X, Y, checkpoint=tmp_path / "run.ckpt", checkpoint_every=0
        )
    assert os.listdir(tmp_path) == ["run.ckpt"]


@pytest.mark.parametrize("name", ["adam", "dropout", "steps", "the reference implementation"])
@pytest.mark.parametrize("every", [0, 1e9])
def test_within_an_epoch_too(name, every, tmp_path):
    """An exception after some step; the next part goes on with the next mini-batch."""
    options = dict(hidden=8, epochs=4, random_state=5) | RUNS[name]
    path, steps = tmp_path / "run.ckpt", []
    whole = MLP(**options).fit(X, Y)

    for _ in range(4):
        with pytest.raises(RuntimeError, match="after step"):
            fail = InterruptStep(5, RuntimeError, steps)
            MLP(callbacks=[fail], **options).fit(X, Y, checkpoint=path, checkpoint_every=every)
    end = MLP(**options).fit(X, Y, checkpoint=path)
    assert_same(whole, end)
    assert steps == list(range(1, 21))  # none twice
    if options.get("step_history"):
        assert whole.step_history_ == end.step_history_


@pytest.mark.parametrize("name", ["early stopping", "adam"])
def test_an_interrupted_validation_costs_an_epoch_and_no_bit(name, tmp_path, monkeypatch):
    options = dict(hidden=8, random_state=5) | dict(epochs=6) | RUNS[name]
    given = {} if "early_stopping" in options else dict(validation_data=(X[:50], Y[:50]))
    path = tmp_path / "run.ckpt"
    whole = MLP(**options).fit(X, Y, **given)
    entry, calls = LossAndMetric.entry, []

    def interrupt(self, *args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return entry(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(LossAndMetric, "entry", interrupt)
        with pytest.raises(KeyboardInterrupt):
            MLP(**options).fit(X, Y, checkpoint=path, checkpoint_every="epoch", **given)
    assert_same(whole, MLP(**options).fit(X, Y, checkpoint=path, **given))


def test_max_seconds_ends_a_part_of_a_training(tmp_path):
    path = tmp_path / "run.ckpt"
    options = dict(hidden=(64, 64), epochs=40, random_state=0)
    rows, y = np.tile(X, (20, 1)), np.tile(Y, 20)
    whole = MLP(**options).fit(rows, y)
    parts = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where a part is over before its first epoch
        while parts < 1000:
            parts += 1
            model = MLP(max_seconds=0.01, **options).fit(rows, y, checkpoint=path)
            if model.n_epochs_ == 40:
                break
    assert parts > 1
    assert np.array_equal(whole.parameters_, model.parameters_)
    assert history(whole) == history(model)


def test_a_folder_that_does_not_exist_is_refused_before_the_first_epoch(tmp_path):
    seen = []
    model = MLP(
        4, epochs=3, random_state=0, callbacks=lambda model, epoch, logs: seen.append(epoch)
    )
    with pytest.raises(FileNotFoundError, match=r"The folder .*models does not exist: '.*/a.st'"):
        model.fit([[0], [1]], [0, 1], checkpoint=tmp_path / "models" / "a.st")
    assert seen == [] and not hasattr(model, "weights_")


def test_a_relative_path_stays_where_it_was_when_the_folder_of_the_process_changes(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    model = MLP(5, epochs=4, random_state=0, callbacks=lambda *_: os.chdir(tmp_path / "other"))
    model.fit(X, Y, checkpoint="run.ckpt", checkpoint_every="epoch")
    assert os.listdir(tmp_path / "other") == []
    assert cnn_core.load(tmp_path / "run.ckpt").n_epochs_ == 4


@pytest.mark.parametrize(
    ("other", "y"),
    [(dict(random_state=1), Y), (dict(random_state=None), Y), (dict(random_state=0), Y + 1)],
)
@pytest.mark.parametrize("at", ["the start", "epoch 2"])
def test_the_checkpoint_of_another_training_is_not_replaced(other, y, at, tmp_path):
    """Two trainings that begin with one path at a time, or one that comes later."""
    path, elsewhere = tmp_path / "run.ckpt", tmp_path / "other.ckpt"
    options = dict(hidden=5, epochs=4)
    MLP(**options, **other).fit(X, y, checkpoint=elsewhere)
    content = elsewhere.read_bytes()

    class Other(Callback):
        def before_fit(self, model):
            if at == "the start":
                os.replace(elsewhere, path)

        def after_epoch(self, model, epoch, logs):
            if at == f"epoch {epoch}":
                os.replace(elsewhere, path)

    seed = other["random_state"] if other["random_state"] is None else 0
    model = MLP(random_state=seed, callbacks=[Other()], **options)
    message = "has been written by another training"
    if at == "the start":
        with pytest.raises(ValueError, match=message):
            model.fit(X, Y, checkpoint=path, checkpoint_every="epoch")
    else:
        with pytest.warns(UserWarning, match=message):
            model.fit(X, Y, checkpoint=path, checkpoint_every="epoch")
        assert model.n_epochs_ == 4
    assert path.read_bytes() == content


def test_a_copy_of_its_own_checkpoint_is_replaced(tmp_path):
    path = tmp_path / "run.ckpt"

    def copy(model, epoch, logs):
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLP(5, epochs=4, random_state=0, callbacks=copy).fit(
            X, Y, checkpoint=path, checkpoint_every="epoch"
        )
    assert cnn_core.load(path).n_epochs_ == 4


def test_resume_takes_what_no_result_depends_on(tmp_path, capsys):
    path, seen = tmp_path / "run.ckpt", []
    with pytest.raises(KeyboardInterrupt):
        MLP(8, epochs=6, random_state=1, callbacks=[Interrupt(3)]).fit(X, Y, checkpoint=path)
    end = MLP.resume(
        path,
        X,
        Y,
        verbose=1,
        n_threads=2,
        max_seconds=1000,
        callbacks=lambda model, epoch, logs: seen.append(epoch),
    )
    assert (end.n_threads, end.max_seconds) == (2, 1000) and seen == [4, 5, 6]
    assert "epoch 4/6" in capsys.readouterr().out
    assert np.array_equal(end.parameters_, MLP(8, epochs=6, random_state=1).fit(X, Y).parameters_)


def test_verbose_says_that_a_training_is_over(tmp_path, capsys):
    options = dict(hidden=5, epochs=2, random_state=0)
    MLP(**options).fit(X, Y, checkpoint=tmp_path / "run.ckpt")
    MLP(verbose=1, **options).fit(X, Y, checkpoint=tmp_path / "run.ckpt")
    assert "is of a training that is over" in capsys.readouterr().out


def test_a_training_that_a_callback_ended_goes_on_from_its_model(tmp_path):
    path, options = tmp_path / "run.ckpt", dict(hidden=5, random_state=0)
    MLP(epochs=20, callbacks=lambda model, epoch, logs: epoch == 5, **options).fit(
        X, Y, checkpoint=path
    )
    model = cnn_core.load(path).set_params(warm_start=True, epochs=15).fit(X, Y)
    whole = MLP(epochs=20, **options).fit(X, Y)
    assert np.array_equal(model.parameters_, whole.parameters_) and model.n_epochs_ == 20


def test_the_end_of_the_time_says_what_the_checkpoint_keeps(tmp_path):
    rows, y = np.tile(X, (50, 1)), np.tile(Y, 50)
    options = dict(hidden=(200, 200), batch_size=1, epochs=3, random_state=0, max_seconds=0.05)
    with pytest.warns(UserWarning, match="initial weights; the checkpoint keeps the part"):
        MLP(**options).fit(rows, y, checkpoint=tmp_path / "run.ckpt")
    with pytest.warns(UserWarning, match="allow more time"):
        MLP(**options).fit(rows, y)
