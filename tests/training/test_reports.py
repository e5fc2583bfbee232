"""What `verbose` shows: one line that lives, or lines that are printed; and log records."""

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
    assert last.startswith("100%") and "30/30" in last
    for word in ("loss ", "accuracy ", "val_loss ", "val_accuracy ", "best "):
        assert word in last
    assert capsys.readouterr().out == ""


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
