"""A notebook that is run as a whole: what each of its cells is left with."""

import re

import pytest

pytest.importorskip("ipykernel")
nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

BEGIN = """
import sys
sys.modules["tqdm"] = None  # neither it nor widgets are needed
sys.modules["ipywidgets"] = None
import numpy as np
from cnn_core import MLP, Ensemble, TabularMLP, fit_many
X = np.random.default_rng(0).normal(size=(200, 3))
y = (X[:, 0] > 0).astype(int)

def ends(model, epoch, logs):
    if epoch == 7:
        raise KeyboardInterrupt

options = dict(hidden=4, verbose=1, random_state=0)
"""
CELLS = {
    "fit": "model = MLP(epochs=2000, batch_size='full', **options).fit(X, y)",
    "interrupted": "MLP(epochs=30, callbacks=ends, **options).fit(X, y)",
    "stopped": "MLP(epochs=500, max_seconds=0.5, **options).fit(X, y);",
    "lines": "MLP(epochs=3, **options | dict(verbose=2)).fit(X, y);",
    "many": "fit_many([MLP(4, epochs=300, random_state=k) for k in range(3)], X, y, verbose=1);",
    "tabular": "TabularMLP(members=2, verbose=1, random_state=0).fit(X[:, :1], y)",
    "model": "model",
    "history": "model.history_",
    "summary": "model.summary()",
    "trace": "model.trace(X, y)",
    "ensemble": "Ensemble([model])",
    "profile": "model.profile(X, y, seconds=0.01)",
}


@pytest.fixture(scope="module")
def outputs():
    new = nbformat.v4.new_code_cell
    notebook = nbformat.v4.new_notebook(cells=[new(BEGIN), *map(new, CELLS.values())])
    nbclient.NotebookClient(notebook, timeout=120, allow_errors=True).execute()
    nbformat.validate(notebook)
    assert not notebook.cells[0].outputs
    assert len(nbformat.writes(notebook)) < 200_000
    return dict(zip(CELLS, (cell.outputs for cell in notebook.cells[1:])))


@pytest.mark.slow
def test_cells_are_left_with_what_was_shown_last(outputs):
    def shown(name, kinds):
        found = outputs[name]
        assert [one.output_type for one in found] == kinds, found
        return [one.get("data", one) for one in found]

    number = r"\d\.\d{4}"
    words = rf"2,000 of 2,000 epochs  loss {number}  accuracy {number}  best \d+  \d+\.\d s"
    (line,) = shown("fit", ["display_data"])
    assert re.fullmatch(words, line["text/plain"])
    assert '<progress value="2000" max="2000"' in line["text/html"]
    line, said, error = shown("interrupted", ["display_data", "stream", "error"])
    assert said.text == "interrupted after epoch 7; the weights are those of epoch 7\n"
    assert re.match(rf"7 of 30 epochs  loss {number} .* \d\.\d s$", line["text/plain"])
    assert error.ename == "KeyboardInterrupt"
    line = shown("stopped", [one.output_type for one in outputs["stopped"]])[0]
    assert re.match(r"\d+ of 500 epochs ", line["text/plain"]) and len(outputs["stopped"]) <= 2
    assert "".join(one.text for one in outputs["lines"]).count("epoch ") == 3
    (line,) = shown("many", ["display_data"])
    assert re.match(r"300 rounds  0 of 3 models train  best loss ", line["text/plain"])
    line, _ = shown("tabular", ["display_data", "execute_result"])
    assert re.match(r"\d+ rounds  0 of 2 models train", line["text/plain"])
    for name in ("model", "history", "summary", "trace", "ensemble", "profile"):
        (one,) = shown(name, ["execute_result"])
        assert one["text/html"].startswith('<div class="cnn-core"')
        assert 0 < one["text/plain"].count("\n") + 1 < 40
    assert outputs["history"][0].data["text/plain"].startswith("<2,000 epochs: loss ")
    assert outputs["trace"][0].data["text/plain"].startswith("Trace of 200 rows, loss ")
