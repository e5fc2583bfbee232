"""The process of a build that builds.py times: it imports cnn_core once, from where its interpreter
finds it, and answers pickled (function's name, arguments) from stdin on stdout.

It reaches cnn_core through the public interface alone, so that one text of it times any two builds.
"""

import contextlib
import glob
import os
import pickle
import platform
import signal
import subprocess
import sys
import time
import traceback
from itertools import cycle, islice

#: Seconds of a measurement: short ones in turn meet the same disturbances. A fit has some fixed
#: costs, which are to be a small share.
LONG_ENOUGH = {"training": 0.05, "rows": 0.01, "batches": 0.01, "imports": 0.01}
ROUND = 0.45  # seconds for all measurements of something in a round
PAUSE = 0.02  # seconds before a measurement, in which threads of the one before stop spinning
TRIES = 2  # of a measurement on several threads that other programs disturb
DISTURBED = 0.02  # share of it for which a thread was ready and had no core
BEYOND_NUMPY = (
    "import numpy, time; start = time.process_time(); from cnn_core import MLP; "
    "print(time.process_time() - start)"
)


def waited(threads):
    """Seconds for which these threads of the process, by their folders in /proc, were ready while
    other programs had their core."""
    seconds = 0.0
    for thread in threads:
        with contextlib.suppress(OSError), open(f"{thread}/schedstat") as file:
            seconds += int(file.read().split()[1]) * 1e-9
    return seconds


def clocked(repeat, threads):
    """The function of a count that returns (seconds of `repeat(count)`, share of them in which
    other programs had the core of one of the process's other threads).

    Seconds in which other programs had the core do not count. On one thread they are the
    processor's, on several those of the clock without those for which this thread was ready:
    waiting for other threads counts.
    """

    def on_one(count):
        start = time.process_time()
        repeat(count)
        return time.process_time() - start, 0.0

    def on_several(count):
        this, everyone = ["/proc/thread-self"], glob.glob("/proc/self/task/*")
        everyone_before, start, mine_before = waited(everyone), time.perf_counter(), waited(this)
        repeat(count)
        mine, end, others = waited(this), time.perf_counter(), waited(everyone)
        mine -= mine_before
        return end - start - mine, max(0.0, others - everyone_before - mine) / (end - start)

    return on_one if threads == 1 else on_several


class Server:
    """What one process does for its build: `open` a workload, `calibrate` and `measure` it."""

    def __init__(self, threads, cores):
        if cores:
            os.sched_setaffinity(0, cores)  # before the import: threads of cnn_core inherit it
        self.threads, self.opened = threads, {}

    def about(self):
        """{what: value} of the build."""
        import numpy as np

        import cnn_core

        cnn_core.set_num_threads(self.threads)
        return {
            "folder": os.path.dirname(cnn_core.__file__),
            "instruction set": cnn_core.instruction_set(),
            "Python": platform.python_version(),
            "NumPy": np.__version__,
        }

    def open(self, name, kind, workload, way):
        """Make ready what is measured under a name; `kind` is a method open_..."""
        self.opened[name] = getattr(self, f"open_{kind}")(workload, way)

    def open_training(self, case, way):
        from cases import initial_layers, training_data
        from peers import cnn_core_

        data, layers = training_data(case), initial_layers(case.net)
        train, _ = cnn_core_.trainers(case, *data, layers, n_threads=self.threads)["fit"]

        def one_by_one(count):
            for _ in range(count):
                train(1)

        return clocked(train if way == "epochs" else one_by_one, self.threads)

    def open_rows(self, net, way):
        from cases import inputs

        model, rows = self.model(net), list(inputs(net, 256))
        if way == "predict_one, out":
            out = model.predict_one(rows[0]).copy()

            def answer(x):
                model.predict_one(x, out=out)
        else:
            rows, answer = [x[None] for x in rows], getattr(model, way)

        def repeat(count):
            for x in islice(cycle(rows), count):
                answer(x)

        return clocked(repeat, self.threads)

    def open_batches(self, net, way):
        from cases import BATCH_ROWS, inputs

        predict, X = getattr(self.model(net), way), inputs(net, BATCH_ROWS)

        def repeat(count):
            for _ in range(count):
                predict(X)

        return clocked(repeat, self.threads)

    def model(self, net):
        from cases import initial_layers
        from peers import cnn_core_

        return cnn_core_.fitted(net, initial_layers(net), n_threads=self.threads)

    def open_imports(self, _, way):
        """Processor seconds of the import of cnn_core in new interpreters that have NumPy."""

        def measured(count):
            command = [sys.executable, "-P", "-c", BEYOND_NUMPY]
            runs = (subprocess.run(command, check=True, capture_output=True) for _ in range(count))
            return sum(float(done.stdout) for done in runs), 0.0

        return measured

    def calibrate(self, name, kind):
        """(repetitions that make a measurement long enough, measurements for a round)."""
        work, count = self.opened[name], 1
        work(count)
        while (seconds := min(work(count)[0] for _ in range(2))) < LONG_ENOUGH[kind] / 4:
            count *= 4
        seconds /= count
        count = max(1, round(LONG_ENOUGH[kind] / seconds))
        return count, min(9, max(3, round(ROUND / (count * seconds))))

    def measure(self, name, count):
        """Seconds for one repetition."""
        if self.threads > 1:
            time.sleep(PAUSE)
        if count > 4:
            self.opened[name](count // 5)
        tries = []
        while not tries or (tries[-1][1] > DISTURBED and len(tries) < TRIES):
            tries.append(self.opened[name](count))
        return min(tries, key=lambda found: found[1])[0] / count

    def close(self, name):
        del self.opened[name]


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for builds.py, which then closes stdin
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed does not come between answers
    threads, *cores = map(int, sys.argv[1:])
    server = Server(threads, cores)
    while True:
        try:
            function, arguments = pickle.load(requests)
        except EOFError:
            return
        try:
            answer = None, getattr(server, function)(*arguments)
        except Exception:
            answer = traceback.format_exc(), None
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
