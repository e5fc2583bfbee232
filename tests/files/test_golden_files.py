"""Every model file that a released version could have written loads, and predicts what it did."""

import hashlib
import importlib.util
import io
import json
from pathlib import Path

import numpy as np
import pytest
from cnn_core.files.estimators import FORMAT
from file_cases import EMBEDDED, X, quietly
from file_edits import taken_apart

import cnn_core

_PATH = Path(__file__).resolve().parents[1] / "data" / "record_models.py"
_SPEC = importlib.util.spec_from_file_location("record_models", _PATH)
record = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(record)
FILES = sorted(record.FOLDER.rglob("*.safetensors"))

#: The files, so that nobody writes them anew: each loads as it was once written.
DIGEST = "c5f1fff1a9b5f1e4"


def test_there_are_files_of_every_format():
    assert {path.parent.name for path in FILES} == {f"format-{n + 1}" for n in range(FORMAT)}
    assert {path.stem for path in FILES} == set(record.FILES)


def test_no_file_was_written_anew():
    content = b"".join(
        hashlib.sha256(path.read_bytes()).digest() for path in FILES if "format-1" in path.parts
    )
    assert hashlib.sha256(content).hexdigest()[:16] == DIGEST


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name} {path.stem}")
def test_a_file_of_any_format_loads_predicts_and_trains_on(path):
    if "sklearn" in path.stem:
        pytest.importorskip("sklearn")
    model = cnn_core.load(path)
    rows = EMBEDDED if path.stem == "ensemble-tables" else X
    found = record.predictions(model, rows)
    wanted = json.loads((path.parent / "predictions.json").read_text())[path.stem]
    if taken_apart(path.read_bytes()).content["bits"] == cnn_core.bits or not isinstance(
        np.ravel(wanted)[0], float
    ):
        assert found == wanted
    else:
        assert np.allclose(found, wanted, rtol=1e-5)
    again = io.BytesIO()
    quietly(model.save, again, optimizer=True)
    assert record.predictions(cnn_core.load(again.getvalue()), rows) == found
    if hasattr(model, "partial_fit"):
        quietly(model.partial_fit, X, targets(model))


def targets(model):
    """A y that the model can train on."""
    classes = getattr(model, "classes_", None)
    if classes is None:
        return np.zeros((40, 2)) if np.ndim(model.predict(X)) == 2 else np.zeros(40)
    return classes[np.arange(40) % len(classes)]
