"""What `verbose` shows: one line that lives, or lines that are printed; and log records."""

import errno
import io
import logging
import re
import sys

import numpy as np
import pytest
from cnn_core.training import reports

from cnn_core import MLP

X = np.random.default_rng(0).normal(size=(60, 3))
LINE, TWO = X[:, 0], (X[:, 1] > 0).astype(int)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Makes sys.stderr a terminal, in the test itself, as pytest sets it anew for that."""
    pytest.importorskip("tqdm")

    def begin():
        found = Terminal()
        monkeypatch.setattr(sys, "stderr", found)
        return found

    return begin


def test_on_a_terminal_one_line_lives(terminal, capsys):
    screen = terminal()
    MLP(4, epochs=30, verbose=1, random_state=0).fit(X, TWO, validation_data=(X, TWO))
    shown = screen.getvalue()
    assert shown.count("\n") == 1 and "\r" in shown  # drawn over and over, and left as it is
    last = re.split("[\r\n]", shown.rstrip())[-1]
    number = r"[01]\.\d{4}"
    words = rf"  loss {number} val {number}  accuracy {number} val {number}  best \d+$"
    assert last.startswith("30/30 ") and re.search(words, last)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (60, "loss 0.1000 val 0.2000  R2 0.9000 val 0.8000  best 7"),
        (51, "loss 0.1000 val 0.2000  val R2 0.8000  best 7"),
        (30, "R2 0.9000 val 0.8000  best 7"),
        (27, "val R2 0.8000  best 7"),
        (15, "val R2 0.8000"),
        (10, "best 7"),
        (3, ""),
    ],
)
def test_what_matters_stays_in_a_narrow_line(width, words):
    entry = {"loss": 0.1, "metric": 0.9, "val_loss": 0.2, "val_metric": 0.8, "seconds": 1.0}
    assert reports.fitting(entry, "R2", 7, width) == words


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (80, "loss 0.1000 val 0.2000  R2 0.9000 val 0.8000  val_max_error 0.7000  best 7"),
        (56, "loss 0.1000 val 0.2000  val_max_error 0.7000  best 7"),
        (28, "val_max_error 0.7000  best 7"),
        (20, "val_max_error 0.7000"),
    ],
)
def test_what_is_watched_stays_in_a_narrow_line(width, words):
    entry = {"loss": 0.1, "metric": 0.9, "val_loss": 0.2, "val_metric": 0.8, "val_max_error": 0.7}
    assert reports.fitting(entry, "R2", 7, width) == words


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_the_line_fits_the_terminal(terminal, monkeypatch, columns):
    tqdm_std = pytest.importorskip("tqdm.std")
    monkeypatch.setattr(tqdm_std, "_screen_shape_wrapper", lambda: lambda _: (columns - 1, 30))
    screen = terminal()
    MLP(4, epochs=200, verbose=1, random_state=0).fit(X, TWO, validation_data=(X, TWO))
    shown = [one.rstrip() for one in re.split("[\r\n]", screen.getvalue()) if one.strip()]
    assert max(map(len, shown)) < columns
    assert all(re.search(r"val (accuracy )?\d\.\d{4}  best \d+$", one) for one in shown[1:])


def test_a_tqdm_that_cannot_be_imported_does_not_stop_a_fit(
    terminal, capsys, tmp_path, monkeypatch
):
    terminal()
    (tmp_path / "tqdm").mkdir()
    (tmp_path / "tqdm" / "__init__.py").write_text("raise RuntimeError('broken')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [one for one in sys.modules if one.partition(".")[0] == "tqdm"]:
        monkeypatch.delitem(sys.modules, name)
    MLP(4, epochs=5, verbose=1, random_state=0).fit(X, LINE)
    assert "epoch 5/5" in capsys.readouterr().out


def test_the_line_tells_of_the_epoch_that_was_the_last(terminal, capsys):
    screen = terminal()
    MLP(
        4, epochs=500, verbose=1, random_state=0, early_stopping=True, patience=3,
        learning_rate=0.1,
    ).fit(X, LINE)  # fmt: skip
    last = re.split("[\r\n]", screen.getvalue().rstrip())[-1]
    epoch = int(re.search(r"(\d+)/500", last)[1])
    best = int(re.search(r"best (\d+)", last)[1])
    ended = capsys.readouterr().out
    assert best == epoch - 3 and ended.startswith("stopped: val_loss has not improved for 3 epochs")
    assert f"the weights of epoch {best} are back" in ended


def test_short_epochs_draw_the_line_seldom(terminal):
    screen = terminal()
    MLP(4, epochs=3000, verbose=1, batch_size="full", random_state=0).fit(X, LINE)
    assert screen.getvalue().count("\r") < 300


def test_without_a_terminal_there_are_lines_now_and_then(capsys):
    MLP(4, epochs=500, verbose=1, batch_size="full", random_state=0).fit(X, LINE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("epoch   1/500  loss ") and lines[-1].startswith("epoch 500/500")
    assert len(lines) < 50


def test_a_line_a_second(capsys, monkeypatch):
    monkeypatch.setattr(reports, "BETWEEN_LINES", 0.0)
    MLP(4, epochs=5, verbose=1, random_state=0).fit(X, LINE)
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_without_tqdm_there_are_lines_on_a_terminal_too(terminal, capsys, monkeypatch):
    screen = terminal()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    MLP(4, epochs=5, verbose=1, random_state=0).fit(X, LINE)
    assert screen.getvalue() == "" and "epoch 5/5" in capsys.readouterr().out


@pytest.mark.parametrize("verbose", [1, 2])
def test_log_records_say_the_same(verbose, caplog, capsys):
    with caplog.at_level(logging.INFO, logger="cnn_core"):
        MLP(4, epochs=3, verbose=verbose, random_state=0).fit(X, LINE)
    said = [record.getMessage() for record in caplog.records if "epoch" in record.getMessage()]
    assert said == capsys.readouterr().out.splitlines()


def test_weights_do_not_depend_on_what_is_shown(terminal):
    terminal()
    shown, silent = (
        MLP(4, epochs=5, verbose=verbose, random_state=0).fit(X, LINE) for verbose in (1, 0)
    )
    assert shown.parameters_.tobytes() == silent.parameters_.tobytes()


class Gone(Terminal):
    """A stream that takes no line from the second epoch on."""

    def __init__(self, error):
        super().__init__()
        self.error, self.left = error, 1

    def write(self, text):
        self.left -= text.count("\n") + text.count("\r")
        if self.left < 0:
            raise self.error
        return super().write(text)


ERRORS = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EIO, "Input/output error"),
    BrokenPipeError(errno.EPIPE, "Broken pipe"),
    ValueError("I/O operation on closed file."),
]


def refusal_of(error):
    """What a warning says of it."""
    words = str(error).rstrip(".")
    return f"verbose cannot print its lines: {words}; nothing else changes"


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("name", ["MLP", "early stopping", "MLPRegressor"])
def test_a_stream_that_takes_no_lines_ends_no_training(name, error, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Gone(error))
    if name == "MLPRegressor":
        estimators = pytest.importorskip("cnn_core.sklearn")
        options = dict(hidden_layer_sizes=(4,), max_iter=4, random_state=0, n_iter_no_change=1)
        model = estimators.MLPRegressor(**options, tol=1e9, verbose=True)
    else:
        stops = dict(early_stopping=True, patience=1, min_delta=9.0) if name != "MLP" else {}
        model = MLP(4, epochs=4, verbose=2, random_state=0, **stops)
    with pytest.warns(UserWarning, match="verbose") as told:
        model.fit(X, LINE)
    assert {str(one.message) for one in told} == {refusal_of(error)}
    quiet = model.__class__(**model.get_params() | dict(verbose=0)).fit(X, LINE)
    assert np.array_equal(model.predict(X), quiet.predict(X))


@pytest.mark.filterwarnings("ignore:verbose cannot print its lines")
@pytest.mark.parametrize("error", ERRORS)
def test_a_terminal_that_is_gone_ends_no_training(error, monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys, "stderr", Gone(error))
    assert MLP(4, epochs=30, verbose=1, random_state=0).fit(X, LINE).n_epochs_ == 30
