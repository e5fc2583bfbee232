"""Write model files of each format, to be read for ever.

``python tests/data/record_models.py``: each format has a folder of its own, with what is written in
it. What is there is never written again: later versions must read it. `predictions.json` holds what
each model predicts for the rows of its case.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cnn_core.files.estimators import FORMAT, format_of
from file_cases import CASES, ENSEMBLES, SKLEARN, quietly

FOLDER = Path(__file__).with_name("models")

#: Name of a file: case, and whether it has the optimizer's state.
FILES = {
    "classes": ("labels of text", False),
    "objects": ("labels of object-bytes", False),
    "regression": ("scaled targets", True),
    "names": ("names", False),
    "first-rows": ("first rows", True),
    "stream": ("long stream", True),
    "lbfgs": ("optimizer lbfgs", False),
    "reference": ("python", True),
    "parameters": ("class weights, bytes", False),
    "schedule": ("learning_rate Warmup", True),
    "classifier": ("classifier", False),
    "ensemble": ("ensemble", False),
    "ensemble-tables": ("ensemble of tables", True),
    "tabular": ("tabular", False),
    "sklearn": ("MLPClassifier, adam, three", True),
    "sklearn-regression": ("MLPRegressor, lbfgs, plane", False),
}


def predictions(model, rows):
    """What a model predicts, as JSON."""
    found = quietly(model.predict, rows).tolist()
    return [one.decode("latin-1") if isinstance(one, bytes) else one for one in found]


def main():
    """Write what is missing."""
    for number in range(1, FORMAT + 1):
        write(number, FOLDER / f"format-{number}")


def write(number, folder):
    """Write what is missing of a format."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = folder / "predictions.json"
    known = json.loads(wanted.read_text()) if wanted.exists() else {}
    for name, (case, optimizer) in FILES.items():
        path = folder / f"{name}.safetensors"
        if path.exists():
            continue
        model, rows, _ = (CASES | ENSEMBLES | SKLEARN)[case]()
        if format_of(model._in_files) != number:
            continue
        quietly(model.save, path, optimizer=optimizer)
        known[name] = predictions(model, rows)
        print(f"new {path.relative_to(FOLDER)}, {path.stat().st_size} bytes")
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(known[name])}" for name in sorted(known))
    wanted.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
