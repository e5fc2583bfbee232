"""``cnn-core predict -o FOLDER/``: a file of predictions for each file of rows, several at once."""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, NamedTuple

from cnn_core._few import counted
from cnn_core.cli.arguments import UsageError
from cnn_core.cli.telling import Telling
from cnn_core.files.atomic import write_whole
from cnn_core.io.output import check_name
from cnn_core.io.sources import STDIN, ending


class Done(NamedTuple):
    """What has been written to a file."""

    output: str
    rows: int
    gaps: dict[str, int]  #: entries that are missing where training had none, by column
    remarks: tuple[str, ...] = ()


class Failed(NamedTuple):
    """Why there are no predictions for a file."""

    path: str
    error: ValueError | TypeError


#: Predicts for some files and writes one.
Predicting = Callable[[argparse.Namespace, Sequence[str], str, Telling], Done]


class _Remarks(Telling):
    """Keeps what is to be said of a file."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.kept: list[str] = []

    def remark(self, text: str, indent: str = "  ") -> None:
        self.kept.append(text)

    def progress(self, text: str) -> None:
        pass


def is_folder(output: str) -> bool:
    """Whether predictions go to a folder, a file for each file of rows."""
    return output != STDIN and (output.endswith(("/", os.sep)) or os.path.isdir(output))


def run(options: argparse.Namespace, paths: Sequence[str], predict: Predicting) -> None:
    """Predict for each file. A file that is there, was made by the same model with the same options
    and is no older than its rows is done: it was written whole. A file of rows that cannot be
    predicted for keeps no other from it.

    Parameters
    ----------
    options : namespace
        Of the command.
    paths : sequence of str
        Files of rows.
    predict : callable
        Of this package, as other processes call it.
    """
    folder, telling = options.output, Telling(options)
    outputs = _outputs(paths, folder)
    model = Path(options.model).read_bytes()
    os.makedirs(folder, exist_ok=True)
    since = _since(folder, _made_by(options, model))
    todo = [(path, output) for path, output in outputs.items() if not _is_done(output, path, since)]
    found, failed = list[Done](), list[Failed]()
    said: set[str] = set()
    for one in _predicted(options, todo, predict):
        if isinstance(one, Failed):
            failed.append(one)
            continue
        found.append(one)
        for word in one.remarks:
            if word not in said:  # most are the same of each file
                said.add(word)
                telling.remark(word)
        rows = sum(done.rows for done in found)
        telling.progress(f"{len(found):,} of {counted(len(todo), 'file')}, {counted(rows, 'row')}")
    n_rows, skipped = sum(one.rows for one in found), len(outputs) - len(todo)
    gaps: dict[str, int] = {}
    for one in found:
        for name, count in one.gaps.items():
            gaps[name] = gaps.get(name, 0) + count
    wrote = f"wrote {counted(n_rows, 'prediction')} to {counted(len(found), 'file')} in {folder}"
    if failed:
        telling.end_progress()
        raise _error_of(failed, len(outputs), f"; {wrote}" if found else "")
    lines = [wrote]
    if skipped:
        lines.append(f"left {counted(skipped, 'file')} there, which are done")
    result = {"rows": n_rows, "output": folder, "files": len(todo), "skipped": skipped}
    telling.result(lines, {**result, "missing": gaps})


def _error_of(failed: Sequence[Failed], of: int, wrote: str) -> ValueError | TypeError:
    """The error of files that cannot be predicted for."""
    first = min(failed, key=lambda one: one.path)
    if of == 1:
        return first.error
    others = "" if len(failed) == 1 else f", and {len(failed) - 1} more such files"
    return type(first.error)(f"{first.error}{others}{wrote}")


def _made_by(options: argparse.Namespace, model: bytes) -> str:
    """What tells apart models, and options that change what is written."""
    free = ("model", "files", "output", "jobs", "threads", "json", "quiet", "command", "run")
    given = {name: value for name, value in vars(options).items() if name not in free}
    said = json.dumps(given, sort_keys=True, default=str).encode()
    return hashlib.sha256(hashlib.sha256(model).digest() + said).hexdigest()


def _since(folder: str, made_by: str) -> int:
    """From when on files in a folder are made by this model with these options, in nanoseconds.
    That is noted in a file beside the folder, as some readers of folders take all that is in one;
    in it where there is no place beside it."""
    above, name = os.path.split(os.path.realpath(folder))
    places = [Path(above, f".{name}.predicted"), Path(folder, ".predicted")]
    for place in places:
        with suppress(OSError, UnicodeDecodeError):
            if place.read_text() == made_by:
                return place.stat().st_mtime_ns
    beside, place = places
    try:
        write_whole(beside, made_by.encode())
        place = beside
    except OSError:
        write_whole(place, made_by.encode())
    return place.stat().st_mtime_ns


def _outputs(paths: Sequence[str], folder: str) -> dict[str, str]:
    """The file of predictions for each file of rows: with its name, as Parquet where it is no
    CSV."""
    found: dict[str, str] = {}
    taken: dict[str, str] = {}
    for path in paths:
        if path == STDIN:
            raise UsageError(f"standard input has no name for a file in {folder}; give -o FILE")
        kind, packed = ending(path)
        name = os.path.basename(path)
        if packed == "zst":
            name = name[: -len(".zst")]
        if kind not in ("csv", "tsv", "txt", "parquet", "pq"):
            name += ".parquet" if kind in ("feather", "arrow") else ".csv"
        output = os.path.join(folder, name)
        if output in taken:
            raise UsageError(f"{taken[output]} and {path} would both be written to {output}")
        if os.path.realpath(output) == os.path.realpath(path):
            raise UsageError(f"{path} is in {folder}, and would be lost; give another folder")
        found[path], taken[output] = output, path
    return found


def _is_done(output: str, path: str, since: int) -> bool:
    """Whether a file is there that was made of these rows, and not before `since`."""
    try:
        written = os.stat(output).st_mtime_ns
    except FileNotFoundError:
        return False
    return max(os.stat(path).st_mtime_ns, since) <= written


def _predicted(
    options: argparse.Namespace,
    todo: Sequence[tuple[str, str]],
    predict: Predicting,
) -> Iterator[Done | Failed]:
    """What each file has come to, as they are done."""
    for _, output in todo:
        check_name(output)
    jobs = min(options.jobs, len(todo))
    plain = {name: value for name, value in vars(options).items() if not callable(value)}
    plain["threads"] = options.threads or 1
    if jobs <= 1:
        for path, output in todo:
            yield _predict_file(plain, path, output, predict)
        return
    # Not by fork: the thread pool of the core does not survive it. This process is one of the jobs.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs - 1, spawn, _begin_process) as pool:
        others = _Others(todo, lambda one: pool.submit(_predict_file, plain, *one, predict))
        try:
            for _ in range(jobs - 1):
                others.begin()
            while not others.over:
                if one := others.take():
                    yield _predict_file(plain, *one, predict)
                yield from others.done()
        except BrokenProcessPool:
            raise ChildProcessError(
                "a job was killed, perhaps as memory was short; the files that are done are left "
                "as they are by the same command, which fewer --jobs may bring to an end"
            ) from None
        finally:
            others.stop()


_File = tuple[str, str]  # of rows, and of predictions


class _Others:
    """The work of other processes. Each begins with a file once it is done with another: a pool
    that is given all files hands out some that none works on, and these are waited for in the end.

    Parameters
    ----------
    files : sequence
    submit : callable
        Has a process predict for a file.
    """

    def __init__(
        self, files: Sequence[_File], submit: Callable[[_File], Future[Done | Failed]]
    ) -> None:
        self._waiting, self._submit = deque(files), submit
        self._begun = deque[Future[Done | Failed]]()
        self._lock = threading.Lock()

    def take(self) -> _File | None:
        """A file that no other process predicts for; None where none is left."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def begin(self) -> None:
        """Have one more process work."""
        with self._lock:
            if not self._waiting:
                return
            task = self._submit(self._waiting.popleft())
            self._begun.append(task)
        task.add_done_callback(self._next)

    def _next(self, before: Future[Done | Failed]) -> None:
        if before.cancelled() or before.exception():
            self.stop()
        self.begin()

    def stop(self) -> None:
        """Begin with no other file."""
        with self._lock:
            self._waiting.clear()

    @property
    def over(self) -> bool:
        """Whether all files are done, and given by `done`."""
        with self._lock:
            return not self._waiting and not self._begun

    def done(self) -> Iterator[Done | Failed]:
        """What files that were begun first have come to; waits where no other is left to take."""
        while self._begun and (self._begun[0].done() or not self._waiting):
            yield self._begun[0].result()
            self._begun.popleft()


def _begin_process() -> None:
    """Let Ctrl-C end a job at once, and the end of the command too: the file that it writes has no
    name yet."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    command = multiprocessing.parent_process()
    assert command is not None

    def follow() -> None:
        wait([command.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _predict_file(
    plain: dict[str, Any], path: str, output: str, predict: Predicting
) -> Done | Failed:
    """A file, in whatever process."""
    options = argparse.Namespace(**plain)
    telling = _Remarks(options)
    try:
        done = predict(options, [path], output, telling)
    except UsageError:
        raise
    except (ValueError, TypeError) as error:  # of these rows
        return Failed(path, error)
    return done._replace(remarks=tuple(telling.kept))
