"""What a training shows of its epochs, as `verbose` asks for: one line that lives on a terminal and
in notebooks, or lines that are printed; and the same in log records."""

from __future__ import annotations

import importlib.util
import logging
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cnn_core._warn import show, shows
from cnn_core.notebook.cell import LiveCell, in_notebook
from cnn_core.training.history import OF_THE_LOOP

if TYPE_CHECKING:
    from cnn_core.task import Task
    from cnn_core.training.loop import TrainingLoop

#: Seconds between two printed lines, and two looks of the line that lives.
BETWEEN_LINES, BETWEEN_LOOKS = 1.0, 0.1

#: The line that lives. One of fewer characters than `NARROW` has no bar.
LIVE, NARROW = "{n_fmt}/{total_fmt} {bar} {remaining} left  {desc}", 60

logger = logging.getLogger("cnn_core")


class Lines:
    """Prints a line for each epoch, or the first, the last and one a second.

    A hook of the loop.

    Parameters
    ----------
    last : int
        The number of the last epoch.
    task : Task
    every : bool
        Whether each epoch has its line.
    """

    def __init__(self, last: int, task: Task, every: bool) -> None:
        self.last, self.words, self.every = last, entry_words(task), every
        self.next = 0.0

    def __call__(self, loop: TrainingLoop, entry: dict[str, float]) -> None:
        if not self.every and loop.n_epochs < self.last:
            now = time.perf_counter()
            if now < self.next:
                return
            self.next = now + BETWEEN_LINES
        line = f"epoch {loop.n_epochs:{len(str(self.last))}d}/{self.last}  "
        line += f"{self.words(entry, loop.monitor.watched)}  {entry['seconds'] * 1e3:.1f} ms"
        show(line)
        logger.info("%s", line)

    def close(self) -> None:
        """Nothing is left open."""


class TerminalBar:
    """A line of a terminal, by tqdm.

    Parameters
    ----------
    last : int
        The number of the last epoch.
    first : int
        Epochs done before.
    """

    def __init__(self, last: int, first: int) -> None:
        from tqdm import tqdm

        # `miniters` 0: how often it is drawn is decided by `LiveLine`.
        self.bar = tqdm(
            total=last,
            initial=first,
            miniters=0,
            mininterval=0,
            dynamic_ncols=True,
            bar_format=LIVE,
        )

    def show(self, epoch: int, words: Callable[[int | None], str]) -> None:
        """Draw an epoch; `words` are asked for with the characters that there are."""
        bar = self.bar
        width = bar.format_dict["ncols"]
        has_bar = width is None or width >= NARROW
        bar.bar_format = LIVE if has_bar else LIVE.replace(" {bar}", "")
        if width is not None:
            width -= len(f"{bar.total}/{bar.total} 00:00 left  ") + 2 * has_bar
        bar.desc = words(width)
        bar.update(epoch - bar.n)
        bar.n = epoch

    def close(self) -> None:
        """Leave the line as it is."""
        self.bar.close()

    def give_up(self) -> None:
        """Draw nothing any more."""
        self.bar.disable = True


class CellBar:
    """An output of a notebook, which takes the same calls.

    Parameters
    ----------
    last : int
        The number of the last epoch.
    first : int
        Epochs done before.
    """

    def __init__(self, last: int, first: int) -> None:
        self.cell, self.last, self.first = LiveCell(last, "epochs"), last, first
        self.began, self.epoch, self.words = time.perf_counter(), first, ""

    def show(self, epoch: int, words: Callable[[int | None], str]) -> None:
        """Draw an epoch."""
        self.epoch, self.words = epoch, words(None)
        seconds = time.perf_counter() - self.began
        left = seconds * (self.last - epoch) / max(1, epoch - self.first)
        self._draw(f", {left:.0f} s left" if left < 100 else f", {left / 60:.0f} min left")

    def close(self) -> None:
        """Show how long it took; nothing is left."""
        if self.epoch > self.first:
            self._draw("")

    def give_up(self) -> None:
        """Draw nothing any more."""

    def _draw(self, left: str) -> None:
        seconds = time.perf_counter() - self.began
        self.cell.show(self.epoch, f"{self.words}  {seconds:.1f} s{left}")


class LiveLine:
    """One line that shows the epoch, its numbers, the best one and the time left.

    A hook of the loop. The display changes by time, so that it slows no short epoch.

    Parameters
    ----------
    bar : TerminalBar or CellBar
    last : int
        The number of the last epoch.
    task : Task
    first : int
        Epochs done before.
    """

    def __init__(self, bar: TerminalBar | CellBar, last: int, task: Task, first: int) -> None:
        self.bar, self.last, self.drawn = bar, last, first
        self.words, self.next, self.lowest, self.best = entry_words(task), 0.0, float("inf"), 0
        self.metric, self.shows = metric_of(task), True
        self.latest: tuple[int, dict[str, float], str] = first, {}, ""

    def __call__(self, loop: TrainingLoop, entry: dict[str, float]) -> None:
        watched = loop.monitor.sign * entry[loop.monitor.watched]
        if watched < self.lowest:
            self.lowest, self.best = watched, loop.n_epochs
        now = time.perf_counter()
        if now >= self.next or loop.n_epochs == self.last:
            self.next = now + BETWEEN_LOOKS
            self.draw(loop.n_epochs, entry, loop.monitor.watched)
        self.latest = loop.n_epochs, entry, loop.monitor.watched

    def draw(self, epoch: int, entry: dict[str, float], watched: str) -> None:
        """Show an epoch."""
        self._draw(
            self.bar.show, epoch, lambda width: fitting(entry, self.metric, self.best, width)
        )
        self.drawn = epoch
        words = f"{self.words(entry, watched)}  best {self.best}"
        logger.info("epoch %d/%d  %s", epoch, self.last, words)

    def close(self) -> None:
        """Show the last epoch, and leave the line as it is."""
        if self.latest[0] > self.drawn:
            self.draw(*self.latest)
        self._draw(self.bar.close)

    def _draw(self, draw: Callable[..., object], *arguments: Any) -> None:
        """Have the bar draw; once it cannot, it never does."""
        if self.shows and not shows(draw, *arguments):
            self.shows = False
            self.bar.give_up()


Report = Lines | LiveLine


def report(verbose: int, last: int, task: Task, first: int) -> Report:
    """What shows the epochs of a run.

    Parameters
    ----------
    verbose : int
        1: the line that lives, in a notebook, and on a terminal with tqdm, else lines now and then;
        2: a line an epoch.
    last : int
        The number of the last epoch.
    task : Task
    first : int
        Epochs done before.
    """
    if verbose == 1 and last - first > 1:
        with suppress(Exception):  # of a tqdm that cannot be imported, or not draw
            if in_notebook():
                return LiveLine(CellBar(last, first), last, task, first)
            if _is_live():
                return LiveLine(TerminalBar(last, first), last, task, first)
    return Lines(last, task, verbose > 1)


def _is_live() -> bool:
    """Whether a line of the terminal can be drawn anew."""
    terminal = sys.stderr is not None and sys.stderr.isatty()
    return terminal and importlib.util.find_spec("tqdm") is not None


def metric_of(task: Task) -> str:
    """What the metric of an epoch is called."""
    return task.metric_name


def fitting(entry: dict[str, float], metric: str, best: int, width: int | None) -> str:
    """The numbers of an epoch, as many as a line has place for: what is watched or the metric, of
    validation rows if there are any, and the best epoch stand longest.

    Parameters
    ----------
    entry : dict
    metric : str
        The name of the metric.
    best : int
        The best epoch.
    width : int, optional
        Characters that there is place for; default all.
    """

    def pair(word: str, name: str) -> str:
        both = ((word, name), ("val", f"val_{name}"))
        return " ".join(f"{word} {entry[name]:.4f}" for word, name in both if name in entry)

    known = ("loss", "metric", "val_loss", "val_metric", *OF_THE_LOOP)
    others = [f"{name} {value:.4f}" for name, value in entry.items() if name not in known]
    loss, both, last = pair("loss", "loss"), pair(metric, "metric"), f"best {best}"
    judged = f"val {metric} {entry['val_metric']:.4f}" if "val_metric" in entry else both
    one = "  ".join(others) or judged
    choices = (
        [loss, both, *others, last],
        [loss, judged, *others, last],
        [loss, one, last],
        [both, one, last] if others else [both, last],
        [one, last],
        [one],
        [last],
    )
    lines = ["  ".join(filter(None, choice)) for choice in choices]
    return next((line for line in lines if width is None or len(line) <= width), "")


def entry_words(task: Task) -> Callable[[dict[str, Any], str], str]:
    """What says in words the numbers of an epoch, the one that is watched among them."""
    metric = metric_of(task)
    words = {
        "loss": "loss",
        "metric": metric,
        "val_loss": "val_loss",
        "val_metric": f"val_{metric}",
    }
    return lambda entry, watched: "  ".join(
        f"{word} {entry[name]:.4f}"
        for name, word in {**words, watched: words.get(watched, watched)}.items()
        if name in entry
    )
