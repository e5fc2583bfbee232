"""A model that was saved and loaded is the model: predictions, parameters, the file itself, and the
training that goes on."""

import copy
import functools
import hashlib
import io
import pickle
import warnings

import numpy as np
import pytest
from file_cases import CASES, LINE, SKLEARN, THREE, TWO, Mine, X, fitted, of_stream, quietly

import cnn_core
from cnn_core import MLP, MLPClassifier, MLPRegressor

if SKLEARN:
    pytest.importorskip("sklearn")

ALL = CASES | SKLEARN


@functools.cache
def made(name):
    """(model, X, y, its file with the optimizer's state)."""
    model, rows, y = ALL[name]()
    return model, rows, y, saved(model, optimizer=True)


def saved(model, **options):
    file = io.BytesIO()
    quietly(model.save, file, allow_nonfinite=True, **options)
    return file.getvalue()


def loaded(data, kind=None):
    read = cnn_core.load if kind is None else kind.load
    return read(data, allow_nonfinite=True)


def same(a, b):
    """Whether two arrays are of the same bits."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype == object:
        return a.dtype == b.dtype and [*map(repr, a.flat)] == [*map(repr, b.flat)]
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def entries(model):
    """The history without what depends on the machine."""
    if not hasattr(model, "history_"):
        return repr(model.loss_curve_) if hasattr(model, "loss_curve_") else ""
    return repr({name: column for name, column in model.history_.items() if name != "seconds"})


@pytest.mark.parametrize("name", ALL)
def test_predictions_and_attributes_are_the_same(name):
    model, rows, y, data = made(name)
    other = loaded(data, type(model))
    assert type(other) is type(model)
    assert same(quietly(other.predict, rows), quietly(model.predict, rows))
    for method in ("predict_proba", "forward", "decision_function"):
        if hasattr(model, method):
            try:
                wanted = quietly(getattr(model, method), rows)
            except (ValueError, AttributeError):
                continue  # not for this task
            assert same(quietly(getattr(other, method), rows), wanted), method
    for attribute in dir(type(model)):
        if attribute.endswith("_") and not attribute.startswith("_"):
            try:
                wanted = getattr(model, attribute)
            except (AttributeError, ValueError):
                assert not hasattr(other, attribute), attribute
                continue
            if name != "sklearn, integer weights" or attribute != "coefs_":  # floats in files
                assert repr(getattr(other, attribute)) == repr(wanted), attribute
    assert quietly(other.score, rows, y) == quietly(model.score, rows, y)


#: Parameters that come back in another form: NumPy's numbers as Python's, and no generators.
IN_ANOTHER_FORM = {
    "dtype": "dtype",
    "class weights": "class_weight",
    "generator": "random_state",
    "random state": "random_state",
    "sklearn, stream": "random_state",
    "numpy numbers": "epochs l2 shuffle",
    "range": "hidden",
    "init": "init",
}


@pytest.mark.parametrize("name", ALL)
def test_parameters_are_the_same(name):
    model, _, _, data = made(name)
    other = loaded(data, type(model))
    changed = IN_ANOTHER_FORM.get(name, "").split()
    for parameter, value in model.get_params().items():
        if parameter not in changed:
            assert repr(other.get_params()[parameter]) == repr(value), parameter
    assert (repr(other) == repr(model)) == (not changed or name == "init")


@pytest.mark.parametrize("name", ALL)
def test_the_same_model_gives_the_same_file(name):
    model, _, _, data = made(name)
    other = loaded(data, type(model))
    assert saved(model, optimizer=True) == data
    assert saved(other, optimizer=True) == data
    short = saved(model)
    assert saved(other) == short == saved(loaded(short, type(model)))
    if name != "labels of big-endian":  # of which NumPy's pickles make another dtype
        assert saved(pickle.loads(pickle.dumps(model))) == short
    assert len(short) <= len(data)


@pytest.mark.parametrize("name", ALL)
def test_training_goes_on_to_the_same_bits(name):
    model, rows, y, data = made(name)
    a, b = pair = copy.deepcopy(model), loaded(data, type(model))
    method = "partial_fit" if hasattr(model, "partial_fit") else "fit"  # of SciPy's L-BFGS-B
    for one in pair:
        if name == "balanced":
            one.set_params(class_weight=None)
        if name == "sklearn, early stopping":
            one.set_params(early_stopping=False)
        for _ in range(2):
            quietly(getattr(one, method), rows, y)
    assert same(quietly(a.predict, rows), quietly(b.predict, rows))
    if hasattr(a, "parameters_"):
        assert same(a.parameters_, b.parameters_) and entries(a) == entries(b)
    else:
        assert all(same(p, q) for p, q in zip(a.coefs_, b.coefs_)) and entries(a) == entries(b)


@pytest.mark.parametrize(
    "name", ["plain", "python", "optimizer lbfgs", "best epoch", "dropout", "learning_rate Cosine"]
)
def test_a_warm_start_goes_on_to_the_same_bits(name):
    model, rows, y, data = made(name)
    a, b = copy.deepcopy(model), loaded(data)
    for one in (a, b):
        quietly(one.set_params(warm_start=True).fit, rows, y)
    assert same(a.parameters_, b.parameters_) and entries(a) == entries(b)


def test_a_training_that_is_resumed_after_each_epoch_is_an_uninterrupted_one():
    whole = MLP(6, epochs=8, optimizer="nadam", random_state=0).fit(X, THREE)
    model = MLP(6, epochs=1, optimizer="nadam", random_state=0, warm_start=True).fit(X, THREE)
    for _ in range(7):
        model = loaded(saved(model, optimizer=True)).fit(X, THREE)
    assert same(model.parameters_, whole.parameters_) and model.n_epochs_ == 8


def test_without_the_optimizers_state_training_starts_with_new_moments():
    model, rows, y, data = made("plain")
    with_state, without = loaded(data), loaded(saved(model))
    for one in (with_state, without):
        one.partial_fit(rows, y)
    assert not same(with_state.parameters_, without.parameters_)
    assert without.n_epochs_ == with_state.n_epochs_ == model.n_epochs_ + 1


def test_first_rows_of_a_stream_are_always_kept_and_its_sample_with_the_optimizers_state():
    model, _, _ = of_stream(1)
    assert model._fitted.first_rows is not None
    for options in ({}, {"optimizer": True}):
        assert loaded(saved(model, **options))._fitted.first_rows.X.shape == (5, 3)
    assert loaded(saved(model))._fitted.stream_rows is None
    assert loaded(saved(model, optimizer=True))._fitted.stream_rows.total == 5


@pytest.mark.parametrize("text", [LINE, np.array(["a", "größer"])[TWO], np.column_stack((X, X))])
def test_first_rows_come_back_in_their_dtype(text):
    model = MLP(hidden=(4,), random_state=2)
    quietly(model.partial_fit, X[:6] * [1, 10, 100], text[:6], classes=None)
    first, again = model._fitted.first_rows, loaded(saved(model, optimizer=True))._fitted.first_rows
    if first is None:
        pytest.skip("these rows need no scaling")
    assert same(first.X, again.X) and same(first.y, again.y)


def test_a_class_reads_what_is_of_it_or_of_one_derived_from_it():
    data = {kind: saved(fitted(kind=kind)[0]) for kind in (MLP, MLPClassifier)}
    assert type(MLP.load(data[MLPClassifier])) is MLPClassifier
    assert type(cnn_core.load(data[MLP])) is MLP
    mine = saved(Mine().fit(X, TWO))
    assert type(Mine.load(mine)) is Mine and Mine.load(mine).extra == 1
    for kind, given, held in (
        (MLPRegressor, data[MLPClassifier], "MLPClassifier"),
        (MLPRegressor, saved(fitted()[0]), "MLP"),
    ):
        with pytest.raises(cnn_core.ModelFormatError, match=f"holds a cnn_core.{held}, and not a"):
            kind.load(given)


def test_what_no_file_can_hold_is_told_and_gets_its_default():
    class Mine(cnn_core.schedules.Schedule):
        def factor(self, epoch):
            return 1.0

    model = MLP(3, epochs=1, learning_rate=Mine(), random_state=10**1300).fit(X, TWO)
    file = io.BytesIO()
    with pytest.warns(UserWarning, match="which no model file can hold") as caught:
        model.save(file)
    assert [str(one.message).split(" is of")[0] for one in caught] == [
        "learning_rate",
        "random_state",
    ]
    assert "of type Mine, which no model file can hold" in str(caught[0].message)
    assert caught[0].filename == __file__
    other = MLP.load(file.getvalue())
    assert other.learning_rate is None and other.random_state is None
    assert same(other.predict(X), model.predict(X))


def test_callbacks_are_no_part_of_a_model():
    model = MLP(3, epochs=1, callbacks=lambda *_: None).fit(X, TWO)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loaded(saved(model)).callbacks == ()


class Layer:
    """A layer of a stand-in for PyTorch's modules."""

    def __init__(self, n_in=0, n_out=0, bias=True):
        self.shapes = {"weight": (n_out, n_in), "bias": (n_out,)} if n_in else {}
        if not bias:
            self.shapes.pop("bias", None)


def load_state_dict(layers, state):
    """As torch.nn.Sequential's, strict: exactly these names, exactly these shapes."""
    wanted = {f"{i}.{key}": s for i, one in enumerate(layers) for key, s in one.shapes.items()}
    assert set(state) == set(wanted)
    assert {name: array.shape for name, array in state.items()} == wanted
    return [
        (state[f"{i}.weight"], state.get(f"{i}.bias", 0.0))
        for i, one in enumerate(layers)
        if one.shapes
    ]


@pytest.mark.parametrize("bias", [True, False])
def test_tensors_are_those_of_a_sequential_of_pytorch(bias):
    from safetensors.numpy import load as load_tensors

    model, rows, _ = fitted(
        LINE, hidden=(6, 4), bias=bias, dtype="float64", scale_inputs=None, scale_targets=None
    )
    state = load_tensors(saved(model))
    relu, a = Layer(), rows
    layers = [Layer(3, 6, bias), relu, Layer(6, 4, bias), relu, Layer(4, 1, bias)]
    *hidden, (W, b) = load_state_dict(layers, state)
    for V, c in hidden:
        a = np.maximum(a @ V.T + c, 0)
    assert np.allclose((a @ W.T + b).ravel(), model.predict(rows), rtol=1e-12)


def test_tensors_begin_at_a_multiple_of_64_bytes():
    for name in ("plain", "many layers", "python, lbfgs"):
        data = made(name)[3]
        assert (8 + int.from_bytes(data[:8], "little")) % 64 == 0


def test_files_do_not_depend_on_the_order_in_which_dicts_were_filled():
    models = [
        fitted(THREE, class_weight=weights)[0] for weights in ({0: 1.0, 2: 2.0}, {0: 1.0, 2: 2.0})
    ]
    for one in models:
        one._fitted.history.parts[0][0]["seconds"][:] = [0.0] * 3
    digests = {hashlib.sha256(saved(one)).hexdigest() for one in models}
    assert len(digests) == 1


def test_a_path_a_file_and_bytes_hold_the_same(tmp_path):
    model, rows, _, _ = made("plain")
    path = tmp_path / "model.safetensors"
    for given in (path, str(path)):
        model.save(given)
        assert path.read_bytes() == saved(model)
        assert same(MLP.load(given).predict(rows), model.predict(rows))
    with open(path, "wb", buffering=0) as file:
        model.save(file)
    for source in (path.read_bytes(), bytearray(path.read_bytes()), memoryview(path.read_bytes())):
        assert same(MLP.load(source).predict(rows), model.predict(rows))
    with open(path, "rb") as file:
        assert same(MLP.load(file).predict(rows), model.predict(rows))


def test_a_file_that_takes_a_part_at_a_time_gets_all():
    class Slow(io.RawIOBase):
        def __init__(self):
            self.data = b""

        def writable(self):
            return True

        def write(self, part):
            self.data += bytes(part[:100])
            return min(len(part), 100)

    model, file = made("plain")[0], Slow()
    model.save(file)
    assert file.data == saved(model)
