"""Nets that go to PyTorch and come from there have the same outputs."""

import copy
import io
import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402
from torch import nn  # noqa: E402

import cnn_core  # noqa: E402
from cnn_core import ELU, MLP, LeakyReLU, _activations  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # what short fits warn of

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4)) * (1, 5, 0.1, 2) + (0, 20, 3, -1)
z = X[:, 0] + X[:, 1] / 5 - 4
TARGETS = {
    "number": z,
    "numbers": np.column_stack((z, 100 * X[:, 2])),
    "two": np.where(z > 0, "yes", "no"),
    "three": np.digitize(z, (-0.5, 0.5)) * 10,
    "several": np.column_stack((z > 0, X[:, 2] > 3, X[:, 3] > 0)).astype(int),
}


def ours(kind, **parameters):
    return MLP(**dict(hidden=(7, 5), epochs=2, random_state=0) | parameters).fit(X, TARGETS[kind])


def outputs_of(module, rows=X):
    dtype = next(module.parameters()).dtype
    with torch.no_grad():
        return copy.deepcopy(module).eval()(torch.tensor(rows, dtype=dtype)).numpy()


def assert_close(given, wanted, ulp=60):
    given, wanted = np.asarray(given), np.asarray(wanted).reshape(np.shape(given))
    size = max(1, np.abs(wanted).max())
    np.testing.assert_allclose(given, wanted, rtol=0, atol=ulp * np.finfo(given.dtype).eps * size)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", TARGETS)
def test_ours_become_sequentials_and_come_back(kind, dtype):
    ways = [dict(scale_inputs=None, activation="tanh"), dict(scale_inputs="minmax", bias=False)]
    ways += [dict(scale_inputs="standard", hidden=()), dict(scale_inputs="robust_clip")]
    ways += [dict(scale_inputs="robust_asinh", clip_outputs=kind in ("number", "numbers"))]
    for way in ways:
        model = ours(kind, dtype=dtype, **way)
        module = model.to_torch()
        assert_close(outputs_of(module), model.forward(X.astype(dtype)))
        classes = model.classes_ if kind in ("two", "three") else None
        task = "regression" if kind.startswith("number") else "classification"
        back = MLP.from_torch(module, task=task, classes=classes)
        assert back.dtype == dtype and back.bias == way.get("bias", True)
        np.testing.assert_array_equal(back.forward(X), model.forward(X))
        np.testing.assert_array_equal(back.predict(X), model.predict(X))
        again = io.BytesIO()
        back.save(again)
        np.testing.assert_array_equal(cnn_core.load(again.getvalue()).predict(X), model.predict(X))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_activation_has_its_module(dtype):
    rows = np.linspace(-30, 30, 61).reshape(-1, 1)
    names = [*_activations.names(), LeakyReLU(0.3), ELU(0.5)]
    for name in names:
        init = [(np.ones((3, 1)), np.zeros(3)), (np.eye(2, 3), np.zeros(2))]
        given = dict(init=init, hidden=3, activation=name, dtype=dtype, task="regression")
        model = MLP(**given).initialize()
        module = model.to_torch()
        wanted = model.forward(rows)
        assert_close(outputs_of(module, rows) / np.abs(wanted).max(), wanted / np.abs(wanted).max())
        back = MLP.from_torch(module, task="regression")
        np.testing.assert_array_equal(back.forward(rows), wanted)
        assert repr(back.activation) == repr(model.activation)


def test_state_dicts_are_those_of_model_files(tmp_path):
    for way in (dict(scale_inputs=None), dict(scale_inputs="standard")):
        model = ours("three", **way)
        model.save(tmp_path / "net.safetensors")
        tensors = load_file(tmp_path / "net.safetensors")
        module = model.to_torch()
        network = module if way["scale_inputs"] is None else module.network
        wanted = outputs_of(module)
        for part in network.parameters():
            part.data.zero_()
        network.load_state_dict(tensors)
        np.testing.assert_array_equal(outputs_of(module), wanted)


def test_logits_become_the_probabilities_of_their_classes():
    torch.manual_seed(0)
    body = nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.ReLU())
    rows = torch.tensor(X, dtype=torch.float32)
    for n, end in ((3, []), (3, [nn.Softmax(dim=1)]), (3, [nn.LogSoftmax(dim=-1)]), (2, [])):
        module = nn.Sequential(body, nn.Linear(8, n), *end)
        names = ["c", "a", "b"][:n]
        model = MLP.from_torch(module, classes=names)
        with torch.no_grad():
            probabilities = torch.softmax(nn.Sequential(body, module[1])(rows), dim=1).numpy()
        order = np.argsort(names)
        assert_close(model.predict_proba(X), probabilities[:, order])
        np.testing.assert_array_equal(model.predict(X), np.array(names)[probabilities.argmax(1)])
    for end in ([], [nn.Sigmoid()]):
        module = nn.Sequential(body, nn.Linear(8, 1), *end)
        with torch.no_grad():
            second = torch.sigmoid(nn.Sequential(body, module[1])(rows)).numpy()
        for classes, column in ((None, 1), (["a", "b"], 1), (["b", "a"], 0)):
            model = MLP.from_torch(module, task="classification", classes=classes)
            assert_close(model.predict_proba(X)[:, column], second)
    module = nn.Sequential(body, nn.Linear(8, 3))
    labels = MLP.from_torch(module, task="classification", output="sigmoid")
    assert_close(labels.predict_proba(X), torch.sigmoid(module(rows)).detach().numpy())
    assert labels.predict(X).shape == (60, 3)


def test_dropout_biases_and_nesting_are_read():
    module = nn.Sequential(
        nn.Dropout(0.1),
        nn.Sequential(nn.Linear(4, 6, bias=False), nn.Dropout(0.2), nn.ReLU(), nn.Identity()),
        nn.Linear(6, 5), nn.SELU(), nn.AlphaDropout(0.3), nn.Linear(5, 4), nn.Linear(4, 1),
    ).double()  # fmt: skip
    model = MLP.from_torch(module, task="regression", optimizer="sgd", learning_rate=1e-4)
    assert_close(model.predict(X), outputs_of(module))
    np.testing.assert_allclose(model.dropout, (0.1, 0.2, 0.3, 0))
    assert model.activation == ("relu", "selu", "identity") and model.optimizer == "sgd"
    model.partial_fit(X, z)
    assert not model.biases_[0].any() and model.biases_[1].any()
    assert np.abs(model.predict(X) - outputs_of(module).ravel()).max() > 0
    half = nn.Sequential(nn.Linear(2, 1)).half()
    assert MLP.from_torch(half, task="regression").dtype == "float32"
    assert MLP.from_torch(nn.Linear(2, 1), task="regression").hidden == ()
    assert isinstance(cnn_core.MLPClassifier.from_torch(nn.Linear(2, 3)), cnn_core.MLPClassifier)


def test_training_goes_on_in_pytorch():
    model = ours("number", scale_inputs="standard", dtype="float64")
    stream = torch.get_rng_state()
    module = model.to_torch()
    assert torch.equal(stream, torch.get_rng_state())
    steps = torch.optim.SGD(module.parameters(), lr=0.01)
    rows, y = torch.tensor(X), torch.tensor(z).reshape(-1, 1)
    before = nn.functional.mse_loss(module(rows), y)
    before.backward()
    steps.step()
    assert nn.functional.mse_loss(module(rows), y) < before
    single = ours("number", scale_inputs="standard").to_torch()
    before = outputs_of(single)
    np.testing.assert_array_equal(outputs_of(single.double().float()), before)


class Own(nn.Module):
    pass


@pytest.mark.parametrize(
    "modules, message",
    [
        ([nn.Linear(2, 3), nn.BatchNorm1d(3)], r"sequential\[1\] is a BatchNorm1d.*fuse_linear_bn"),
        ([nn.Linear(2, 3), nn.Sequential(nn.PReLU())], r"sequential\[1\]\[0\] is a PReLU"),
        ([nn.Conv1d(1, 1, 1)], "Conv1d, which has no counterpart in MLP; layers here are Linear"),
        ([nn.Linear(2, 3), Own()], "is a Own, which has no counterpart"),
        ([nn.Linear(2, 3), nn.ReLU(), nn.Tanh()], "Tanh behind another activation"),
        ([nn.ReLU(), nn.Linear(2, 3)], "ReLU before the first Linear"),
        ([nn.Linear(2, 3), nn.Linear(4, 1)], "layer 2 has weights of shape"),
        ([nn.Linear(2, 3), nn.LogSoftmax(1), nn.Linear(3, 1)], "LogSoftmax follows"),
        ([nn.Linear(2, 3), nn.Softmax(0)], "over dimension 0"),
        ([nn.Linear(2, 3), nn.Softplus(beta=2)], "Softplus with beta=2"),
        ([nn.Linear(2, 3), nn.LeakyReLU(-0.1)], "negative_slope must be at least 0"),
        ([nn.Linear(2, 3), nn.Dropout(0.5)], "MLP drops no outputs"),
        ([nn.Linear(2, 3), nn.Dropout(0.5), nn.Tanh(), nn.Linear(3, 1)], "a Dropout before Tanh"),
        ([nn.Linear(2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3, 1)], "is a Flatten"),
        ([nn.Identity()], "there is no Linear"),
        ([nn.Linear(2, 3, device="meta")], "meta"),
    ],
)  # fmt: skip
def test_modules_without_a_counterpart_are_named(modules, message):
    with pytest.raises((TypeError, ValueError), match=message):
        MLP.from_torch(nn.Sequential(*modules), task="regression")


def test_what_nothing_says_is_asked_for():
    net, end = nn.Sequential(nn.Linear(2, 3)), nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    labels, one = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid()), nn.Linear(2, 1)
    for module, given, message in (
        (net, {}, "say task='regression', or task='classification'"),
        (net, dict(task="classify"), "task must be"),
        (net, dict(classes=["a", "b"]), "classes must be 3 different labels"),
        (one, dict(classes=["a", "b", "c"]), "2 different labels, one for each of the two classes"),
        (net, dict(task="regression", classes=[1, 2, 3]), "classes are for classification"),
        (end, dict(task="classification"), "these end with 'tanh'"),
        (end, dict(task="regression", output="sigmoid"), "output is 'sigmoid', but"),
        (labels, dict(classes=["a", "b", "c"]), "yes-or-no labels"),
        (one, dict(task="classification", output="softmax"), "softmax of one output"),
        (net, dict(task="regression", hidden=3), "takes no hidden, which the modules say"),
        (net, dict(task="regression", scale_inputs="standard"), "takes no scale_inputs"),
        (Own(), {}, "class Own, of which nobody but its forward"),
        ("net", {}, "got a str"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            MLP.from_torch(module, **given)
    with pytest.raises(TypeError, match="MLPRegressor is for regression"):
        cnn_core.MLPRegressor.from_torch(net, task="classification")
    with pytest.raises(NotImplementedError, match="numeric_embedding"):
        ours("three", numeric_embedding="periodic").to_torch()


def test_the_examples_of_the_page_print_what_it_says(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[2] / "docs" / "interchange.md"
    found = re.findall(r"```py\n(.*?)```\n\n```\n(.*?)```", page.read_text(), re.DOTALL)
    exec("".join(code for code, _ in found), {})
    assert capsys.readouterr().out == "".join(printed for _, printed in found)


@pytest.mark.parametrize("loss", ["pinball", "gaussian_nll"])
def test_of_several_outputs_a_target_the_predicted_one_goes_along(loss):
    model = ours("numbers", loss=loss, dtype="float64")
    np.testing.assert_allclose(outputs_of(model.to_torch()), model.predict(X), rtol=1e-11)


def test_modules_that_stand_at_several_places_count_at_each():
    act, shared = nn.ReLU(), nn.Linear(4, 4)
    block = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    for net in (
        nn.Sequential(nn.Linear(4, 8), act, nn.Linear(8, 8), act, nn.Linear(8, 1)),
        nn.Sequential(shared, nn.ReLU(), shared, nn.Linear(4, 1)),
        nn.Sequential(block, block, nn.Linear(4, 1)),
    ):
        model = MLP.from_torch(net, task="regression")
        np.testing.assert_allclose(model.forward(X), outputs_of(net), rtol=1e-4, atol=1e-5)


def test_modules_with_hooks_are_refused():
    net = nn.Sequential(nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 1))
    net[0].register_forward_hook(lambda module, given, found: 2 * found)
    with pytest.raises(ValueError, match=r"^sequential\[0\] has forward hooks, "):
        MLP.from_torch(net, task="regression")
