"""evaluate --importances, for every kind of model file."""

import json

import numpy as np
import pytest
from cnn_core.cli.main import main

from cnn_core import MLP, Ensemble, TabularMLP, load


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table whose answer is in one column."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    size, place = rng.normal(size=200), rng.choice(["sea", "town"], 200)
    large = np.where(size > 0, "yes", "no")
    rows = ["size,place,large", *(",".join(map(str, row)) for row in zip(size, place, large))]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    return {"size": size, "place": place}, large


def said(capsys, *options):
    capsys.readouterr()
    assert main(["evaluate", "m.safetensors", "t.csv", "--target", "large", *options]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("kind", ["MLP", "Ensemble", "TabularMLP", "scikit-learn"])
def test_evaluate_lists_importances_when_asked(table, kind, capsys):
    X, y = table
    if kind == "scikit-learn":
        pd = pytest.importorskip("pandas")
        pytest.importorskip("sklearn")
        from cnn_core.sklearn import MLPClassifier

        X = pd.DataFrame({"size": X["size"]})
        model = MLPClassifier(random_state=0, max_iter=300, tol=1e-2).fit(X, y)
    elif kind == "TabularMLP":
        model = TabularMLP(members=2, random_state=0).fit(X, y)
    else:
        model = MLP(8, columns="auto", epochs=20, random_state=0).fit(X, y)
        model = model if kind == "MLP" else Ensemble([model, model])
    model.save("m.safetensors")
    scores = said(capsys)
    found = load("m.safetensors").importances(X, y)
    assert said(capsys, "--importances") == f"{scores}\n{found!r}\n"
    values = json.loads(said(capsys, "--importances", "--json"))["importances"]
    assert [one["column"] for one in values] == ["size", "place"][: len(X.keys())]
    assert values[0]["importance"] == found.values[found.order[0]] and values[0]["direction"] > 0
    assert "importances" not in json.loads(said(capsys, "--json"))
