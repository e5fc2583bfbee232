"""Load model files and checkpoints that were changed at random:
``python tests/fuzz/mutate.py --files 100000`` and ``--checkpoints 20000``.

A file is a model that predicts, or a ModelFormatError. Child processes load them, and where one
loads, predict with it and train on. A checkpoint is one that a training goes on from to its end, by
`resume` and by `fit`, or one ValueError; see `checkpoint_cases.py`. Failures are what else they
raise, their death, more than `SECONDS` for a file, and more memory than `allowed_bytes`; each is
printed with the number that makes the same file again (``--only NUMBER``).

Half of the changes are to bytes: bits, digits, cuts, copies, parts of another file. The other half
are behind the checksum, which is made anew: values and keys of the JSON and names, shapes, dtypes
and bytes of the tensors.
"""

import argparse
import copy
import io
import json
import os
import pickle
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import checkpoint_cases
import numpy as np
from file_edits import Parts, put_together, taken_apart, written

import cnn_core
from cnn_core import ModelFormatError

#: The longest that loading a file may take, of the processor's time.
SECONDS = 1.0
#: After this long without an answer a child is dead.
HANGS = 20.0
#: Files that a child loads.
BATCH = 2000


def allowed_bytes(size):
    """The most memory that loading a file of `size` bytes may take."""
    return 3 * size + (16 << 20)


# Files


def base_files(names=None):
    """The files that are changed: of each kind of model, with the optimizer's state and without."""
    from file_cases import CASES, ENSEMBLES, SKLEARN, quietly

    try:
        import sklearn  # noqa: F401

        cases = CASES | ENSEMBLES | SKLEARN
    except ImportError:
        cases = CASES | ENSEMBLES
    files = []
    for name in names or cases:
        model = cases[name]()[0]
        for optimizer in (False, True):
            file = io.BytesIO()
            quietly(model.save, file, optimizer=optimizer, allow_nonfinite=True)
            files.append(file.getvalue())
    return files


# Changes of bytes


def cut(rng, data, files):
    return data[: rng.randrange(len(data) + 1)]


def flip(rng, data, files):
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[_place(rng, data)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def change_digit(rng, data, files):
    places = [m.start() for m in re.finditer(rb"[0-9]", data[:4000])]
    at = rng.choice(places or [0])
    return data[:at] + rng.choice(b"0123456789-.e").to_bytes() + data[at + 1 :]


def delete(rng, data, files):
    at, size = _place(rng, data), _size(rng)
    return data[:at] + data[at + size :]


def duplicate(rng, data, files):
    at, size = _place(rng, data), _size(rng)
    return data[: at + size] + data[at : at + size] + data[at + size :]


def insert(rng, data, files):
    at = _place(rng, data)
    return data[:at] + rng.randbytes(_size(rng)) + data[at:]


def swap(rng, data, files):
    a, b = sorted((_place(rng, data), _place(rng, data)))
    size = min(_size(rng), b - a)
    return (
        data[:a] + data[b : b + size] + data[a + size : b] + data[a : a + size] + data[b + size :]
    )


def rename_key(rng, data, files):
    keys = re.findall(rb'"([a-z0-9_.]+)\\?"', data[:4000])
    old, new = (rng.choice(keys or [b""]) for _ in range(2))
    return data.replace(old, new, rng.choice((1, -1))) if old else data


def splice(rng, data, files):
    other = rng.choice(files)
    return data[: _place(rng, data)] + other[_place(rng, other) :]


def change_length(rng, data, files):
    length = int.from_bytes(data[:8], "little")
    new = rng.choice((length + rng.randint(-9, 9), rng.randrange(1 << 16), rng.randrange(1 << 64)))
    return (new % (1 << 64)).to_bytes(8, "little") + data[8:]


def _place(rng, data):
    return rng.randrange(max(1, rng.choice((len(data), min(len(data), 3000)))))


def _size(rng):
    return rng.choice((1, 1, 2, 4, 8, 64, 500))


OF_BYTES = (
    cut, flip, change_digit, delete, duplicate, insert, swap, rename_key, splice, change_length,
)  # fmt: skip

# Changes behind the checksum

ODD = (
    None, True, False, 0, 1, -1, 2, 3, 7, 16, 255, 65536, 10**9, 2**31, 2**40, 2**62, 2**63 - 1,
    2**63, 2**64, 0.0, -0.0, 0.5, 1.5, -1.0, 1e-300, 1e300, "", "nan", "inf", "-inf", "relu",
    "softmax", "identity", "sigmoid", "mse", "hinge", "poisson", "sgd", "adam", "lbfgs", "nadam",
    "native",
    "python", "regression", "multilabel", "float64", "a" * 1000, "\ud800", [], {}, [[]], [0], ["a"],
    [1.0, 2.0], {"a": 1}, {"tuple": []}, {"dict": []}, {"object": "Adam", "values": {}},
    {"dtype": "<U1000000", "values": ["a"]}, {"dtype": "|O", "values": [1, "a"]},
    {"array": {"dtype": "<f4", "values": []}, "shape": [0, 1 << 31]}, {"float": "nan"},
)  # fmt: skip


def nodes(value, found=None):
    """(container, key) of everything in a JSON value."""
    found = [] if found is None else found
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in list(pairs):
        found.append((value, key))
        if isinstance(one, (dict, list)):
            nodes(one, found)
    return found


def put_odd(rng, parts, files):
    at, key = rng.choice(nodes(parts.content))
    at[key] = copy.deepcopy(rng.choice(ODD))


def nudge(rng, parts, files):
    """A number that is near, or a text with another letter."""
    at, key = rng.choice(nodes(parts.content))
    value = at[key]
    if isinstance(value, bool):
        at[key] = not value
    elif isinstance(value, int):
        at[key] = value + rng.choice((-1, 1, value, 1 << rng.randrange(64)))
    elif isinstance(value, float):
        at[key] = rng.choice((-value, value * 2.0 ** rng.randint(-60, 60), value + 1, int(value)))
    elif isinstance(value, str):
        i = rng.randrange(len(value) + 1)
        at[key] = value[:i] + chr(rng.choice((65, 0x20AC, 0, 0x1F600))) + value[i + 1 :]
    elif isinstance(value, list) and value:
        rng.choice((value.pop, value.reverse, lambda: value.extend(value), value.clear))()


def remove(rng, parts, files):
    at, key = rng.choice(nodes(parts.content))
    del at[key]


def rename(rng, parts, files):
    at, key = rng.choice([node for node in nodes(parts.content) if isinstance(node[0], dict)])
    at[rng.choice([name for _, name in nodes(parts.content)])] = at.pop(key)


def exchange(rng, parts, files):
    (a, i), (b, j) = (rng.choice(nodes(parts.content)) for _ in range(2))
    a[i], b[j] = copy.deepcopy((b[j], a[i]))


#: Objects of a file that `graft` takes parts of; the last one is of checkpoints.
CONTENT = ("model", "parameters", "progress")


def graft(rng, parts, files):
    """The same part of another file's model, with its tensors or without."""
    other = taken_apart(rng.choice(files))
    for kind in rng.sample([name for name in CONTENT if name in parts.content], 1):
        key = rng.choice(list(other.content[kind]))
        parts.content[kind][key] = other.content[kind][key]
    if rng.random() < 0.5:
        parts.tensors.update(other.tensors)


def odd_tensor(rng, parts, files):
    name = rng.choice(list(parts.tensors))
    dtype, shape, data = parts.tensors[name]
    how = rng.randrange(8)
    if how == 0:
        del parts.tensors[name]
    elif how == 1:
        parts.tensors[rng.choice((name + "x", "4.weight", "0.bias", ""))] = parts.tensors.pop(name)
    elif how == 2:
        parts.tensors[name] = [rng.choice(("F16", "BF16", "I64", "U8", "F64", "F32")), shape, data]
    elif how == 3:
        parts.tensors[name] = [dtype, [*reversed(shape)], data]
    elif how == 4:
        parts.tensors[name] = [dtype, [len(data) // (8 if dtype == "F64" else 4)], data]
    elif how == 5:
        size = rng.choice((0, len(data) // 2, len(data) * 2))
        parts.tensors[name] = [dtype, [size // (8 if dtype == "F64" else 4)], (data + data)[:size]]
    elif how == 6:
        parts.tensors[name] = [dtype, shape, rng.randbytes(len(data))]
    else:
        odd = rng.choice((np.nan, np.inf, -0.0, 1e38, 1e-45))
        one = np.array(odd, "<f8" if dtype == "F64" else "<f4").tobytes()
        parts.tensors[name] = [dtype, shape, one + data[len(one) :]]


def odd_text(rng, parts, files):
    """JSON that no dict is written as."""
    text = written(parts.content)
    return Parts(OF_BYTES[rng.randrange(8)](rng, text.encode(), files).decode("latin-1"), {})


BEHIND = (
    put_odd, put_odd, nudge, nudge, nudge, remove, rename, exchange, graft, odd_tensor, odd_tensor,
)  # fmt: skip


def begun(number, seed, files):
    """The generator of the changes of this number, and the index of the file that is changed."""
    rng = random.Random(f"{seed} {number}")
    return rng, rng.randrange(len(files))


def mutated(number, seed, files):
    """The file of this number."""
    rng, base = begun(number, seed, files)
    data = files[base]
    if rng.random() < 0.5:
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            data = rng.choice(OF_BYTES)(rng, data, files) or b"\0"
        return data
    parts = taken_apart(data)
    if rng.random() < 0.1:
        text = odd_text(rng, parts, files).content
        return put_together(Parts(text.encode("ascii", "ignore").decode(), parts.tensors))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        try:
            rng.choice(BEHIND)(rng, parts, files)
        except (IndexError, KeyError, TypeError, AttributeError, OverflowError, ValueError):
            continue  # an earlier change has taken what this one looks for
    return put_together(parts)


# What is done with a file


def forget_peak():
    """Begin anew with what `memory` says of the peak."""
    Path("/proc/self/clear_refs").write_text("5")


def memory(what):
    """Bytes of memory: "VmRSS" now, "VmHWM" at the peak."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{what}:\s*(\d+) kB", status)[1]) * 1024


def rows_for(model):
    """X and y that a model can train on."""
    if hasattr(model, "coefs_"):
        n, outputs, classes = (
            model.n_features_in_,
            model.n_outputs_,
            getattr(model, "classes_", None),
        )
        several = classes is not None and model._model.label_binarizer.y_type_.startswith(
            "multilabel"
        )
        one_hot = False
    else:
        task = model._fitted.task
        n, outputs, classes = model.n_features_in_, task.n_outputs, task.classes
        several, one_hot = task.name == "multilabel", task.one_hot
    X = np.random.default_rng(0).normal(size=(20, n))
    if several:
        return X, (np.arange(20 * outputs).reshape(20, outputs) % 3 == 0).astype(int)
    if one_hot:
        return X, np.eye(outputs)[np.arange(20) % outputs]
    if classes is not None:
        return X, classes[np.arange(20) % len(classes)]
    return X, (np.zeros((20, outputs)) if outputs > 1 else np.zeros(20))


def outcome(data, trains=True):
    """What becomes of a file: 'refused', 'loaded', or 'trained'.

    Raises
    ------
    AssertionError
        With what must not happen.
    """
    forget_peak()
    before, start = memory("VmRSS"), time.process_time()
    try:
        model = cnn_core.load(data)
    except ModelFormatError as error:
        model, message = None, str(error)
    seconds, grown = time.process_time() - start, memory("VmHWM") - before
    assert seconds <= SECONDS, f"{seconds:.2f} s"
    most = allowed_bytes(len(data))
    assert grown <= most, f"{grown:,} bytes for a file of {len(data):,}"
    if model is None:
        assert len(message) < 1000, f"a message of {len(message)} characters"
        return "refused"
    X, y = rows_for(model)
    model.predict(X)
    pickle.loads(pickle.dumps(model))
    copied = io.BytesIO()
    model.save(copied, optimizer=True, allow_nonfinite=True)
    again = cnn_core.load(copied.getvalue(), allow_nonfinite=True)
    assert again.predict(X).tobytes() == model.predict(X).tobytes() or y.dtype == object
    if not trains or not hasattr(model, "partial_fit"):
        return "loaded"
    try:
        model.partial_fit(X, y)
    except (ValueError, TypeError):  # parameters that do not go with these rows
        return "loaded"
    return "trained"


def outcome_of_checkpoint(data, case, path):
    """What becomes of the file of a checkpoint of a case, one that is at `path`: a word or two for
    each of `resume` and `fit`, and the messages of errors.

    Raises
    ------
    AssertionError
        With what must not happen.
    """
    forget_peak()
    before, start = memory("VmRSS"), time.process_time()
    found = list(checkpoint_cases.go_on(path, data, case))
    seconds, grown = time.process_time() - start, memory("VmHWM") - before
    most = 2 * (checkpoint_cases.SECONDS + SECONDS)
    assert seconds <= most, f"{seconds:.2f} s"
    most = allowed_bytes(len(data))
    assert grown <= most, f"{grown:,} bytes for a file of {len(data):,}"
    return found


def work(files, seed, numbers, of_checkpoints=False):
    """Load the files of these numbers, and write a line for each before and after."""
    warnings.simplefilter("ignore")
    cnn_core.set_num_threads(1)
    answers, sys.stdout = sys.stdout, io.StringIO()  # where a model is verbose
    limit = 8 << 30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for data in (files[0], files[-1]):  # imports what is needed
        cnn_core.load(data, allow_nonfinite=True)
    folder = tempfile.TemporaryDirectory()
    path = os.path.join(folder.name, "run.ckpt")
    cases = [case() for case in checkpoint_cases.cases().values()] if of_checkpoints else []
    for data, case in zip(files, cases):
        outcome_of_checkpoint(data, case, path)
    for number in numbers:
        print(f"start {number}", file=answers, flush=True)
        data = mutated(number, seed, files)
        try:
            if of_checkpoints:
                case = cases[begun(number, seed, files)[1]]
                found = "; ".join(word for word, _ in outcome_of_checkpoint(data, case, path))
            else:
                found = outcome(data)
        except BaseException as error:
            found = f"FAILED {type(error).__name__}: {error}".replace("\n", " ")[:500]
        print(f"done {number} {found}", file=answers, flush=True)


# Many files


class Child:
    """A process that loads some files, and what it writes meanwhile."""

    def __init__(self, path, seed, numbers, what):
        self.path, self.seed, self.left, self.what = path, seed, list(numbers), what
        self.start()

    def start(self):
        """Begin, or go on behind a file that was its death."""
        command = [sys.executable, __file__, "--child", self.path, "--seed", str(self.seed)]
        first, last = self.left[0], self.left[-1]
        self.output = tempfile.TemporaryFile()  # noqa: SIM115, closed in `run`
        self.process = subprocess.Popen(
            [*command, "--first", str(first), f"--{self.what}", str(last + 1 - first)],
            stdout=self.output,
            stderr=subprocess.DEVNULL,
        )
        self.heard, self.read, self.current = time.monotonic() + 60, 0, self.left[0]

    def done(self):
        """(number, outcome) of each file that it has done since."""
        data = os.pread(self.output.fileno(), 1 << 24, self.read)
        data = data[: data.rfind(b"\n") + 1]
        self.read += len(data)
        for line in data.decode(errors="replace").splitlines():
            kind, number, *rest = line.split(maxsplit=2)
            self.heard = max(self.heard, time.monotonic())
            self.current = int(number)
            if kind == "done":
                self.left.remove(int(number))
                yield int(number), rest[0]

    def failure(self):
        """What has ended it before its time; None while it works and where it is done."""
        code = self.process.poll()
        if code is None and time.monotonic() - self.heard > HANGS:
            self.process.kill()
            self.process.wait()
            return "hangs"
        if code and not os.fstat(self.output.fileno()).st_size:
            raise RuntimeError(f"a child dies with {code} before its first file")
        return None if code is None or not self.left else f"dies with {code}"


def run(files, count, seed, jobs, first=0, what="files"):
    """Load `count` files, or checkpoints; returns a Counter of what has become of them, and the
    failures."""
    outcomes, failures = Counter(), []
    size = min(BATCH, -(-count // jobs))
    waiting = [range(at, min(at + size, first + count)) for at in range(first, first + count, size)]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "files")
        Path(path).write_bytes(pickle.dumps(files))
        children = []
        while waiting or children:
            while waiting and len(children) < jobs:
                children.append(Child(path, seed, waiting.pop(0), what))
            time.sleep(0.02)
            for child in list(children):
                failure = child.failure()
                for number, word in child.done():
                    outcomes["FAILED" if word.startswith("FAILED") else word] += 1
                    if word.startswith("FAILED"):
                        failures.append((number, word))
                if failure and child.left:
                    outcomes["FAILED"] += 1
                    failures.append((child.current, failure))
                    child.left = [number for number in child.left if number > child.current]
                    if child.left:
                        child.output.close()
                        child.start()
                if not child.left and child.process.poll() is not None:
                    children.remove(child)
                    child.output.close()
    return outcomes, failures


def show(number, seed, files, of_checkpoints):
    """Print one file, and what becomes of it."""
    data = mutated(number, seed, files)
    print(json.dumps(repr(data[:3000])))
    if not of_checkpoints:
        print(outcome(data))
        return
    case = list(checkpoint_cases.cases().values())[begun(number, seed, files)[1]]()
    with tempfile.TemporaryDirectory() as folder:
        print(outcome_of_checkpoint(data, case, os.path.join(folder, "run.ckpt")))


def main(arguments=None):
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000, help="how many")
    parser.add_argument("--checkpoints", type=int, help="how many of those instead")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--first", type=int, default=0, help="the first number")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="load one file, here")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    of_checkpoints = options.checkpoints is not None
    count = options.checkpoints if of_checkpoints else options.files
    if options.child:
        numbers = range(options.first, options.first + count)
        files = pickle.loads(Path(options.child).read_bytes())
        work(files, options.seed, numbers, of_checkpoints)
        return 0
    files = checkpoint_cases.base_files() if of_checkpoints else base_files()
    if options.only is not None:
        show(options.only, options.seed, files, of_checkpoints)
        return 0
    start, what = time.monotonic(), "checkpoints" if of_checkpoints else "files"
    outcomes, failures = run(files, count, options.seed, options.jobs, options.first, what)
    for number, failure in failures[:100]:
        print(number, failure)
    seconds = time.monotonic() - start
    print(f"{count:,} {what} of seed {options.seed}, {len(files)} kinds, {seconds:.0f} s:")
    print(", ".join(f"{count:,} {word}" for word, count in sorted(outcomes.items())))
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
