"""A network for a microcontroller: trained here, written as a C header, compiled and compared.

It tells the state of a motor from six numbers of its vibration. The C compiler ``cc`` of this
machine stands in for that of the device: the header is C99 and needs nothing but <math.h>.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from cnn_core.datasets import split

from cnn_core import SGD, MLPClassifier

PROGRAM = """
#include <stdio.h>
#include "motor.h"

static net_work work;
static float parameters[NET_PARAMETERS];

int main(void)                     /* rows to learn, then rows to predict, as float32 */
{
    float x[NET_INPUTS];
    int count, state;
    net_start(&work);
    if (!fread(&count, sizeof count, 1, stdin)) return 1;
    for (; count; count--)
        if (fread(&state, sizeof state, 1, stdin) && fread(x, sizeof x, 1, stdin))
            net_learn(&work, x, state);
    net_parameters(&work, parameters);
    fwrite(parameters, sizeof parameters, 1, stdout);
    while (fread(x, sizeof x, 1, stdin)) {
        state = (int)net_predict(x, &work);
        fwrite(&state, sizeof state, 1, stdout);
    }
    return 0;
}
"""


def chapter(title: str) -> None:
    """Print the heading of a chapter."""
    print(f"\n{title}\n{'-' * len(title)}")


def measured(states: np.ndarray, worn: float) -> np.ndarray:
    """Speed, temperature and the vibration in four bands, of motors worn so much."""
    rng = np.random.default_rng(states.size)
    bands = np.array([[1, 1, 1, 1], [1, 3, 1, 2], [2, 1, 4, 1]])[states]
    vibration = bands * (1 + worn + 0.5 * rng.random((states.size, 4)))
    speed, heat = rng.uniform(900, 1500, states.size), rng.uniform(20, 70, states.size)
    return np.column_stack([speed, heat, vibration]).astype(np.float32)


def compiled(folder: Path, source: str, *options: str) -> Path:
    """The program that a C source makes."""
    program = folder / source.partition(".")[0]
    command = ["cc", "-std=c99", "-O2", *options, "-x", "c", str(folder / source)]
    subprocess.run([*command, "-lm", "-o", str(program)], check=True)
    return program


def told(program: Path) -> str:
    """What the test of a header prints."""
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout.strip()


if not shutil.which("cc"):
    sys.exit("no C compiler: cc is not there")
chapter("1. Training")
states = np.arange(1200) % 3  # running, bearing, unbalanced
X_train, X_test, y_train, y_test = split(measured(states, 0.0), states, test=0.25, random_state=0)
model = MLPClassifier(
    12, optimizer=SGD(0.05), scale_inputs="standard", shuffle=False, epochs=30, random_state=0
)
model.fit(X_train, y_train)
sizes = "-".join(map(str, (X_train.shape[1], 12, 3)))
print(f"{sizes}, {model.parameters_.size} parameters, accuracy {model.score(X_test, y_test):.3f}")

with TemporaryDirectory() as name:
    folder = Path(name)
    chapter("2. The header, and its own test")
    model.export_c(folder / "net.h")
    print(told(compiled(folder, "net.h", "-DNET_TEST")))

    chapter("3. It goes on learning: motors wear")
    X_worn, y_worn = measured(states[:900], 0.8), states[:900]
    print(f"on worn motors: accuracy {model.score(X_worn[600:], y_worn[600:]):.3f}")
    model.export_c(folder / "motor.h", train=True)
    (folder / "main.c").write_text(PROGRAM)
    pairs = zip(y_worn[:600].astype(np.int32), X_worn[:600])
    sent = np.int32(600).tobytes() + b"".join(y.tobytes() + x.tobytes() for y, x in pairs)
    sent += X_worn[600:].tobytes()
    program = compiled(folder, "main.c")
    answer = subprocess.run([program], input=sent, capture_output=True, check=True).stdout
    learned = np.frombuffer(answer, np.float32, model.parameters_.size)
    found = np.frombuffer(answer, np.int32, offset=learned.nbytes)
    for x, y in zip(X_worn[:600], y_worn[:600]):
        model.partial_fit(x[None], [y])
    print(f"after 600 rows, one by one: accuracy {np.mean(found == y_worn[600:]):.3f}")
    print("its weights have the bits of Python:", np.array_equal(learned, model.parameters_))

    chapter("4. In integers of 8 and 16 bits")
    for kind in ("int8", "int16"):
        model.export_c(folder / f"{kind}.h", dtype=kind)
        bounds = re.findall(r"Bound +(.*)", (folder / f"{kind}.h").read_text())
        print(f"{kind}: z is off by at most {bounds[0]}, in 4,096 rows by the numbers in brackets")
        print(told(compiled(folder, f"{kind}.h", "-DNET_TEST")))
