"""Nets as ONNX files give what they predict in the reference evaluator and in ONNX Runtime."""

import json
import sys

import numpy as np
import pytest
from cnn_core.activations import ELU, LeakyReLU

from cnn_core import MLP, Ensemble, TabularMLP, _activations

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
reference = pytest.importorskip("onnx.reference")

pytestmark = pytest.mark.filterwarnings("ignore")
HIDDEN = [name for name in _activations.names() if name not in ("step", "sign")]
ROWS = np.random.default_rng(5).normal(size=(60, 3)) * (1, 5, 0.1) + (0, 20, 3)
Z = ROWS[:, 0] + ROWS[:, 1] / 5 - 4
TARGETS = {
    "number": Z,
    "numbers": np.column_stack((Z, 100 * ROWS[:, 2])),
    "two": np.where(Z > 0, "ja", "nö"),
    "three": np.digitize(Z, (-0.5, 0.5)) * 10,
    "bools": Z > 0,
    "several": np.column_stack((Z > 0, ROWS[:, 2] > 3)).astype(int),
}


def fitted(kind="number", dtype="float32", **parameters):
    y = TARGETS[kind]
    model = MLP(**{"hidden": (5, 4), "epochs": 3, "dtype": dtype, "random_state": 0} | parameters)
    return model.fit(ROWS.astype(dtype), y)


def inputs_of(session, table):
    """What a user gives for each input."""
    names = json.loads(session.get_modelmeta().custom_metadata_map["feature_names"])
    feed = {}
    for one, name in zip(session.get_inputs(), names, strict=True):
        column = np.asarray(table[name])
        if one.type == "tensor(string)":
            texts = ["" if entry is None else str(entry) for entry in column.tolist()]
            feed[one.name] = np.array(texts, object)
        elif one.type == "tensor(int64)":
            feed[one.name] = column.astype("datetime64[us]").astype(np.int64)
        else:
            feed[one.name] = column.astype(np.float32 if "float" in one.type else np.float64)
    return feed


def check(path, model, X, bound, **parameters):
    """Both give what the model predicts, within `bound` of the scale of y."""
    model.export_onnx(path, **parameters)
    session = onnxruntime.InferenceSession(path)
    evaluator = reference.ReferenceEvaluator(str(path))
    feed = inputs_of(session, X) if isinstance(X, dict) else {"X": X}
    names = [one.name for one in session.get_outputs()]
    for run in (session.run, evaluator.run):
        found = dict(zip(names, run(None, feed), strict=True))
        if names[0] == "y":
            wanted = model.predict(X).reshape(len(found["y"]), -1)
            assert found["y"].dtype == wanted.dtype
            spread = np.ptp(TARGETS["numbers"][:, : wanted.shape[1]], axis=0)
            scale = np.maximum(spread, np.abs(wanted).max(axis=0))
            assert (np.abs(found["y"] - wanted) <= bound * scale).all()
            continue
        assert found["label"].tolist() == model.predict(X).tolist()
        if "probabilities" in names:
            wanted = model.predict_proba(X)
            assert found["probabilities"].dtype == wanted.dtype
            assert np.abs(found["probabilities"] - wanted).max() <= bound
        else:
            assert np.abs(found["outputs"] - model.forward(X)).max() <= bound
    none = session.run(None, {name: rows[:0] for name, rows in feed.items()})
    assert [one.shape[0] for one in none] == [0] * len(names)
    one = session.run(None, {name: rows[:1] for name, rows in feed.items()})
    assert [one.shape[0] for one in one] == [1] * len(names)
    return session


@pytest.mark.parametrize("dtype, bound", [("float32", 1e-6), ("float64", 1e-12)])
def test_every_activation_gives_what_is_predicted(tmp_path, dtype, bound):
    X = ROWS.astype(dtype)
    for activation in (*HIDDEN, LeakyReLU(0.3), LeakyReLU(0), ELU(0.5)):
        model = fitted(dtype=dtype, activation=activation)
        limit = 1e-6 if activation == "gelu" else bound
        check(tmp_path / "net.onnx", model, X, limit)


@pytest.mark.parametrize("activation", HIDDEN)
def test_activations_far_from_0_are_those_of_the_kernels(activation):
    from cnn_core.export.graph import Graph
    from cnn_core.export.onnx_activations import activation as composed

    for dtype in (np.float32, np.float64):
        z = np.array([[-1e4, -30, -5, -1, -1e-3, 0, 1e-3, 1, 5, 30, 80]], dtype)
        graph = Graph(["a"])
        value = composed(graph, activation, 0.25, graph.input("z", dtype, (1, 11)), dtype)
        value = graph("Identity", value)
        model = graph.model("f", [graph.output(value, "a", dtype, (1, 11))], "")
        session = onnxruntime.InferenceSession(model.SerializeToString())
        (a,) = session.run(None, {"z": z})
        wanted = _activations.activation(activation, z, 0.25)
        assert (np.abs(a - wanted) <= 1e-6 * np.maximum(1, np.abs(wanted))).all()


@pytest.mark.parametrize("dtype, bound", [("float32", 1e-6), ("float64", 1e-12)])
@pytest.mark.parametrize("kind", TARGETS)
def test_every_task_and_scaling_gives_what_is_predicted(tmp_path, kind, dtype, bound):
    X = ROWS.astype(dtype)
    ways = [dict(scale_inputs=one) for one in ("standard", "robust_clip", "robust_asinh")]
    ways.append(dict(scale_inputs="minmax", numeric_embedding="periodic"))
    ways.append(dict(hidden=(), bias=False))
    if kind == "number":
        ways.append(dict(clip_outputs=True))
        ways.append(dict(loss="pinball"))  # of which the median is predicted
    for way in ways:
        check(tmp_path / "net.onnx", fitted(kind, dtype, **way), X, bound)


def test_outputs_that_are_no_probabilities_are_called_outputs(tmp_path):
    for kind, way in (
        ("two", dict(loss="hinge")),
        ("two", dict(hidden=(), output="step", loss="perceptron")),
        ("three", dict(output="sigmoid", loss="mse")),
    ):
        session = check(tmp_path / "net.onnx", fitted(kind, **way), ROWS.astype("f4"), 3e-6)
        assert [one.name for one in session.get_outputs()] == ["label", "outputs"]


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-12), ("float32", 1e-4)])
def test_folded_scaling_leaves_a_chain_of_layers(tmp_path, dtype, bound):
    model = fitted("numbers", dtype, scale_inputs="standard", activation="relu")
    X, path = ROWS.astype(dtype), tmp_path / "net.onnx"
    check(path, model, X, bound, scaling="folded")
    nodes = onnx.load(path).graph.node
    assert [one.op_type for one in nodes] == ["Gemm", "Relu", "Gemm", "Relu", "Gemm"]
    written = {one.name: onnx.helper.get_attribute_value(one) for one in nodes[0].attribute}
    assert written == {"alpha": 1, "beta": 1, "transB": 1}
    check(path, Ensemble([model, model]), X, bound, scaling="folded")


def table(rows=60):
    rng = np.random.default_rng(2)
    gaps = rng.normal(size=rows)
    gaps[::7] = np.nan
    colours = np.array(["röt", "grün", "blau"], object)[rng.integers(0, 3, rows)]
    colours[5] = None
    days = np.datetime64("1899-12-31") + rng.integers(0, 70_000, rows)
    days[:3] = np.array(["2000-02-29", "1900-02-28", "NaT"], "datetime64[D]")
    return {
        "y": ROWS[:rows, 0].astype("f4").astype(float),
        "größe": gaps.astype("f4").astype(float),
        "label": colours,
        "probabilities": rng.integers(0, 90, rows).astype(str).astype(object),
        "": rng.random(rows) > 0.5,
        "W": rng.integers(1, 5, rows),
        "z": days.astype("datetime64[s]") + rng.integers(0, 86_400, rows),
    }


KINDS = {"W": "category", "label": "category", "probabilities": "category", "z": "date"}


@pytest.mark.parametrize("dtype, bound", [("float32", 1e-6), ("float64", 1e-12)])
@pytest.mark.parametrize("kind", ["number", "two"])
def test_a_column_of_a_table_is_an_input_under_its_name(tmp_path, kind, dtype, bound):
    X = table()
    for columns, embedding in ((KINDS, "periodic"), (KINDS | {"probabilities": "embedding"}, None)):
        parameters = dict(columns=columns, hidden=(4,), epochs=3, dtype=dtype, random_state=0)
        model = MLP(**parameters, numeric_embedding=embedding).fit(X, TARGETS[kind])
        session = check(tmp_path / "net.onnx", model, X, bound)
        names = [one.name for one in session.get_inputs()]
        if kind == "number":
            assert names == ["y_in", "größe", "label", "probabilities", "column", "W", "z"]
        else:
            assert names == ["y", "größe", "label_in", "probabilities_in", "column", "W", "z"]
        unseen = X | {"label": ["?"] * 60, "probabilities": ["-1"] * 60, "W": ["2.0"] * 60}
        check(tmp_path / "net.onnx", model, unseen, bound)


def test_means_of_nets_are_one_graph(tmp_path):
    X, y = ROWS.astype("f4"), TARGETS["two"]
    two = [MLP(4, epochs=2, random_state=k, scale_inputs="standard").fit(X, y) for k in range(2)]
    check(tmp_path / "net.onnx", Ensemble(two), X, 1e-6)
    numbers = [fitted(), fitted(activation="tanh", scale_inputs="robust_clip")]
    check(tmp_path / "net.onnx", Ensemble(numbers), X, 1e-6)
    tables = [MLP(4, epochs=2, columns=KINDS).fit(part, Z) for part in (table(), table())]
    tables.append(MLP(4, epochs=2, columns=KINDS | {"y": "drop"}).fit(table(), Z))
    check(tmp_path / "net.onnx", Ensemble(tables), table(), 1e-6)
    tables.append(MLP(4, epochs=2, columns=KINDS | {"z": "category"}).fit(table(), Z))
    with pytest.raises(ValueError, match="'z' as different kinds"):
        Ensemble(tables).export_onnx(tmp_path / "net.onnx")


@pytest.mark.slow
def test_tabular_mlp_and_the_drop_in_are_written_too(tmp_path):
    pytest.importorskip("sklearn")
    from cnn_core.sklearn import MLPClassifier, MLPRegressor

    X, path = ROWS.astype("f4"), tmp_path / "net.onnx"
    check(path, TabularMLP(members=2, random_state=0).fit(table(), Z), table(), 1e-6)
    sizes = dict(hidden_layer_sizes=(4,), max_iter=3, random_state=0)
    check(path, MLPRegressor(**sizes).fit(X, Z), X, 1e-6)
    check(path, MLPClassifier(**sizes).fit(X, TARGETS["three"]), X, 1e-6)
    check(path, MLPClassifier(**sizes).fit(ROWS, TARGETS["several"]), ROWS, 1e-12)


def test_a_file_is_its_weights_and_two_kilobytes_and_tells_what_it_is(tmp_path):
    for name in HIDDEN:
        model = fitted("two", activation=name, scale_inputs="robust_asinh", hidden=(30, 20))
        model.export_onnx(tmp_path / "net.onnx")
        weights = 4 * (3 * 30 + 30 + 30 * 20 + 20 + 20 + 1)
        assert (tmp_path / "net.onnx").stat().st_size <= weights + 2000
    written = onnx.load(tmp_path / "net.onnx")
    assert written.producer_name == "cnn_core" and written.producer_version
    assert [(one.domain, one.version) for one in written.opset_import] == [("", 13)]
    assert written.ir_version == 7
    shape = written.graph.input[0].type.tensor_type.shape.dim
    assert (shape[0].dim_param, shape[1].dim_value) == ("rows", 3)


def test_what_no_graph_can_hold_is_refused_and_nothing_is_written(tmp_path, monkeypatch):
    path, model = tmp_path / "net.onnx", fitted(scale_inputs="robust_clip")
    with pytest.raises(ValueError, match="is bent"):
        model.export_onnx(path, scaling="folded")
    with pytest.raises(ValueError, match="did you mean 'node'"):
        model.export_onnx(path, scaling="nod")
    periodic = fitted(scale_inputs="standard", numeric_embedding="periodic")
    with pytest.raises(ValueError, match="periodic embeddings read scaled"):
        periodic.export_onnx(path, scaling="folded")
    with pytest.raises(TypeError, match="takes a path"):
        model.export_onnx(5)
    broken = fitted()
    broken._model().network.bias(0)[:] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        broken.export_onnx(path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'cnn-core\[onnx\]'"):
        model.export_onnx(path)
    assert not list(tmp_path.iterdir())
