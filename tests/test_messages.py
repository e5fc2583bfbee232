"""Wrong arguments of the compiled pieces: each message names the argument, what was given and what
is allowed. Every function of `cnn_core.functional`, and every one of its modules, is looked at."""

import inspect
import re

import numpy as np
import pytest
from cnn_core._backprop import Backprop
from cnn_core._dataset import RowSource
from cnn_core._network import Network
from cnn_core._predict import BatchPredictor, RowPredictor
from cnn_core._trainer import Trainer

from cnn_core import _activations, _backprop, _cpu, _dropout, _linalg, _losses, _random
from cnn_core import functional as F

MODULES = (_activations, _backprop, _cpu, _dropout, _linalg, _losses, _random)
W, X, Z = np.ones((3, 2)), np.ones((4, 2)), np.ones((4, 3))
PANELS, VECTOR, OUT = _linalg.pack(W), np.ones(16), np.zeros((4, 3))

#: The kinds of arguments: ARRAY and OUTPUT are ndarrays and nothing else, LIKE is converted.
ARRAY, OUTPUT, LIKE, NUMBER, WHOLE, CHOICE, FLAG, OTHER = range(8)

#: A good call of each function, argument by argument, with the argument's kind.
CALLS = {
    "activation": dict(name=("relu", CHOICE), z=(Z, ARRAY), activation_param=(1.0, NUMBER)),
    "activation_backward": dict(
        name=("elu", CHOICE), z=(Z, ARRAY), gradient=(Z, ARRAY), activation_param=(1.0, NUMBER)
    ),
    "activation_derivative": dict(
        name=("elu", CHOICE), z=(Z, ARRAY), activation_param=(1.0, NUMBER)
    ),
    "activation_derivative_from_a": dict(
        name=("elu", CHOICE), a=(Z, ARRAY), activation_param=(1.0, NUMBER)
    ),
    "activation_second_derivative": dict(
        name=("elu", CHOICE), z=(Z, ARRAY), activation_param=(1.0, NUMBER)
    ),
    "activation_backward_along": dict(
        name=("elu", CHOICE), z=(Z, ARRAY), r_z=(Z, ARRAY), gradient=(Z, ARRAY),
        r_gradient=(Z, ARRAY), activation_param=(1.0, NUMBER),
    ),
    "backward_delta": dict(
        W=(W, ARRAY), delta=(Z, ARRAY), z=(X, ARRAY), activation=("elu", CHOICE),
        activation_param=(1.0, NUMBER),
    ),
    "gradients": dict(delta=(Z, ARRAY), a=(X, ARRAY)),
    "apply": dict(name=("exp", CHOICE), x=(VECTOR, ARRAY), out=(VECTOR.copy(), OUTPUT)),
    "fma_peak": dict(dtype=("float32", CHOICE), seconds=(0.001, NUMBER)),
    "use_instruction_set": dict(name=(F.instruction_set(), CHOICE)),
    "with_subnormals": dict(function=(max, OTHER), arguments=((1, 2), OTHER)),
    "drop": dict(
        a=(Z, ARRAY), rate=(0.5, NUMBER), seed=(1, WHOLE), step=(0, WHOLE), layer=(0, WHOLE),
        alpha_dropout=(False, FLAG),
    ),
    "pack": dict(W=(W, ARRAY), out=(PANELS.copy(), OUTPUT)),
    "unpack": dict(panels=(PANELS, ARRAY), n_out=(3, WHOLE), out=(W.copy(), OUTPUT)),
    "transpose_panels": dict(panels=(PANELS, ARRAY), n_out=(3, WHOLE)),
    "affine": dict(
        X=(X, ARRAY), panels=(PANELS, ARRAY), b=(np.ones(8), ARRAY), out=(np.zeros((4, 8)), OUTPUT)
    ),
    "matmul": dict(A=(X, ARRAY), B=(np.ones((2, 3)), ARRAY)),
    "matvec": dict(W=(W, ARRAY), x=(np.ones(2), ARRAY), b=(np.ones(3), ARRAY)),
    "dot": dict(x=(VECTOR, ARRAY), y=(VECTOR, ARRAY)),
    "axpy": dict(factor=(2.0, NUMBER), x=(VECTOR, ARRAY), y=(VECTOR.copy(), OUTPUT)),
    "is_finite": dict(array=(Z, ARRAY)),
    "column_sums": dict(
        X=(Z, ARRAY), shift=(np.ones(3), ARRAY), power=(1, WHOLE), start=(np.zeros(3), ARRAY)
    ),
    "scale_rows": dict(
        X=(Z, ARRAY), shift=(np.ones(3), ARRAY), factor=(np.ones(3), ARRAY), out=(OUT, OUTPUT),
        curve=("linear", CHOICE),
    ),
    "loss": dict(
        name=("huber", CHOICE), out=(Z, ARRAY), y=(Z, LIKE), row_scale=(np.ones(4), LIKE),
        loss_param=(1.0, NUMBER),
    ),
    "loss_curvature": dict(
        name=("huber", CHOICE), out=(Z, ARRAY), y=(Z, LIKE), direction=(Z, ARRAY),
        loss_param=(1.0, NUMBER),
    ),
    "loss_from_a": dict(
        name=("huber", CHOICE), a=(Z, ARRAY), y=(Z, LIKE), loss_param=(1.0, NUMBER)
    ),
    "class_indices": dict(
        name=("hinge", OTHER), y=(np.zeros(4, int), LIKE), rows=(4, OTHER), n_classes=(3, OTHER)
    ),
    "permutation": dict(seed=(1, WHOLE), epoch=(0, WHOLE), n=(5, WHOLE), split=(False, FLAG)),
    "block_order": dict(seed=(1, WHOLE), epoch=(0, WHOLE), n=(5, WHOLE)),
    "window_order": dict(seed=(1, WHOLE), epoch=(0, WHOLE), window=(0, WHOLE), n=(5, WHOLE)),
    "shard_order": dict(
        seed=(1, WHOLE), epoch=(0, WHOLE), n=(5, WHOLE), batch_size=(2, WHOLE), shards=(2, WHOLE),
        shuffled=(True, FLAG),
    ),
    "uniform": dict(seed=(1, WHOLE), stream=(0, WHOLE), n=(5, WHOLE), first=(0, WHOLE)),
    "optimizer_settings": dict(name=("sgd", CHOICE)),
}  # fmt: skip
FUNCTIONS = {
    name: function
    for module in (*MODULES, F)
    for name, function in vars(module).items()
    if callable(function)
    and not inspect.isclass(function)
    and getattr(function, "__module__", "").startswith("cnn_core._")
    and not name.startswith("_")
    and inspect.signature(function).parameters
}
#: Functions that C or Python helpers of the package's own are.
HELPERS = {
    "aligned_zeros", "as_array", "check_number", "check_param", "choose", "heads", "shown", "takes",
}  # fmt: skip
PUBLIC = {
    function.__name__: function for name, function in FUNCTIONS.items() if name not in HELPERS
}
ARGUMENTS = [
    (name, argument, kind)
    for name, arguments in CALLS.items()
    for argument, (_, kind) in arguments.items()
]
#: Functions of a single array, which may have every size.
ALONE = (
    "is_finite", "pack", "drop", "activation", "activation_derivative",
    "activation_derivative_from_a", "activation_second_derivative",
)  # fmt: skip
ARRAYS = [(name, argument) for name, argument, kind in ARGUMENTS if kind in (ARRAY, OUTPUT)]


def call(function, /, **changed):
    arguments = {argument: value for argument, (value, _) in CALLS[function].items()}
    return PUBLIC[function](**arguments | changed)


def good(name, argument):
    return CALLS[name][argument][0]


def test_the_table_has_every_function_and_every_argument():
    assert set(CALLS) == set(PUBLIC)
    for name, function in PUBLIC.items():
        assert list(inspect.signature(function).parameters) == list(CALLS[name]), name
        call(name)


def refused(name, argument, value, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        call(name, **{argument: value})
    text = str(caught.value)
    assert re.search(rf"(^|\W){argument}\W", text) and re.search(message, text), text
    assert "\n" not in text and len(text) < 250


@pytest.mark.parametrize("name, argument", ARRAYS)
def test_an_array_that_is_not_contiguous_is_named(name, argument):
    array = good(name, argument)
    spread = np.repeat(array, 2, axis=-1)[..., ::2]
    assert spread.shape == array.shape and not spread.flags.c_contiguous
    refused(name, argument, spread, rf"^{argument} must be C-contiguous, got .*strides of ")
    if array.ndim > 1:
        refused(name, argument, np.asfortranarray(array), "C-contiguous")


@pytest.mark.parametrize("name, argument", ARRAYS)
def test_an_array_of_another_dtype_is_named_with_it(name, argument):
    array = good(name, argument)
    for dtype in ("int64", "float16", "complex128", "bool", ">f8", "O", "U1"):
        given = re.escape(str(np.dtype(dtype)))
        refused(name, argument, array.astype(dtype), rf"^{argument} must be an ndarray .*{given}$")
    for other in ([[1.0]], 3.0, "x", object(), memoryview(array)):
        refused(name, argument, other, f"must be an ndarray of .*got {type(other).__name__}$")


@pytest.mark.parametrize("name, argument", ARRAYS)
def test_an_array_of_other_dimensions_is_named_with_its_shape(name, argument):
    array = good(name, argument)
    if name == "is_finite":  # of any shape
        return
    for other in (array[None], array.reshape(-1) if array.ndim > 1 else array[:1].reshape(())):
        refused(
            name, argument, other, rf"must have {array.ndim} dim.*{re.escape(str(other.shape))}"
        )


@pytest.mark.parametrize("name, argument", ARRAYS)
def test_an_array_that_does_not_go_with_the_others_is_named_with_its_shape(name, argument):
    array = good(name, argument)
    if name in ALONE and argument != "out":
        call(name, **{argument: array})  # the only array: every size is good
        return
    longer = np.ones(tuple(n + 1 for n in array.shape))
    arrays = [one for one, (_, kind) in CALLS[name].items() if kind in (ARRAY, OUTPUT, LIKE)]
    with pytest.raises(ValueError, match=rf"\b({'|'.join(arrays)})\b") as caught:
        call(name, **{argument: longer})
    numbers = set(map(int, re.findall(r"\d+", str(caught.value))))
    assert numbers & set(longer.shape) and numbers & set(array.shape), str(caught.value)


@pytest.mark.parametrize("name, argument", [one[:2] for one in ARGUMENTS if one[2] == OUTPUT])
def test_an_output_that_cannot_be_written_to_is_named(name, argument):
    array = good(name, argument).copy()
    array.flags.writeable = False
    refused(name, argument, array, f"^{argument} is written to, got a read-only array")


@pytest.mark.parametrize("name, argument", [
    (name, argument) for name, argument in ARRAYS
    if good(name, argument).dtype == np.float64 and name not in ("is_finite",)
])  # fmt: skip
def test_arrays_of_two_dtypes_are_refused_or_right(name, argument):
    other = good(name, argument).astype("float32")
    arrays = [one for one, (value, kind) in CALLS[name].items() if kind in (ARRAY, OUTPUT)]
    if name == "scale_rows" and argument in ("X", "out"):
        call(name, **{argument: other})
    elif argument in ("shift", "factor"):
        refused(name, argument, other, f"^{argument} must be an ndarray of float64, got float32")
    elif len(arrays) > 1 and name not in ("column_sums", "loss"):
        with pytest.raises((TypeError, ValueError), match=r"must be of float(32|64) as \w+ is"):
            call(name, **{argument: other})


@pytest.mark.parametrize("name, argument", [one[:2] for one in ARGUMENTS if one[2] == LIKE])
def test_what_is_no_array_of_numbers_is_named(name, argument):
    for wrong in ("text", ["a"] * 4, [[1.0], [1.0, 2.0]], np.ones(4, complex), object()):
        refused(name, argument, wrong, "got ")
    refused(name, argument, np.ones((7, 7), int), r"\(7, 7\)")


@pytest.mark.parametrize("name, argument, kind", [
    one for one in ARGUMENTS if one[2] in (NUMBER, WHOLE, CHOICE)
])  # fmt: skip
def test_a_number_or_a_name_that_is_none_is_named(name, argument, kind):
    if kind == CHOICE:
        what = "" if argument == "name" else argument
        with pytest.raises((TypeError, ValueError), match=f"{what}.*nothing"):
            call(name, **{argument: "nothing"})
        return
    refused(name, argument, "nothing", f"^{argument} must be a .*number, got 'nothing'")
    if kind == WHOLE:
        refused(name, argument, -1, f"{argument}.*-1")
        refused(name, argument, 2**64, f"^{argument} must lie in 0 to 2[*][*](32|63|64) - 1, got")


NETWORK = Network((2, 3), ("identity",), "float64")
SPREAD, SCALE = np.ones((4, 4))[:, ::2], np.ones(2)
SGD = {"learning_rate": 0.0, "momentum": 0.0, "nesterov": 0.0}


def trained(**options):
    trainer = Trainer(Backprop(NETWORK, "mse", 2), "sgd", SGD)
    return trainer.epoch(RowSource(X), RowSource(Z), None, **options)


@pytest.mark.parametrize("use, message", [
    (lambda: NETWORK.panels(0, np.ones(48)[::2]), "^vector must be C-contiguous"),
    (lambda: NETWORK.bias(0, np.ones(3)), r"^vector must have shape \(24,\).*got \(3,\)"),
    (lambda: NETWORK.weights(0, np.ones(24, "float32")), "^vector must be .*float64, got float32"),
    (lambda: NETWORK.flat([1.0]), "^vector must be an ndarray of float64, got list"),
    (lambda: NETWORK.flat(np.ones((4, 6))), r"^vector must have 1 dimension, .*\(4, 6\)"),
    (lambda: NETWORK.set_layer(0, "W", np.ones(3)), "^W must be an array of real .* got str"),
    (lambda: NETWORK.set_layer(0, W, [[1], [1, 2]]), "^b must be an array of real .* got list"),
    (lambda: NETWORK.set_layer(0, W.T, np.ones(3)), r"weights of shape \(3, 2\).*got \(2, 3\)"),
    (lambda: NETWORK.set_flat(["a"] * 9), "^values must be an array of real .* got list"),
    (lambda: NETWORK.set_flat(np.ones(3)), r"9 parameters, got an array of shape \(3,\)"),
    (lambda: BatchPredictor(NETWORK).forward(SPREAD), "^X must be C-contiguous"),
    (lambda: BatchPredictor(NETWORK).argmax(SPREAD), "^X must be C-contiguous"),
    (lambda: BatchPredictor(NETWORK).forward([[1.0, 2]]), "^X must be an ndarray .* got list"),
    (lambda: BatchPredictor(NETWORK).forward(X[0]), r"^X must have shape \(rows, 2\).*\(2,\)"),
    (lambda: BatchPredictor(NETWORK).argmax(X.astype("f4")), "^X must .* float64, got .*float32"),
    (lambda: RowPredictor(NETWORK, (SPREAD[0], SCALE, "linear")), "^shift must be C-contiguous"),
    (lambda: RowPredictor(NETWORK, (SCALE, None, "linear")), "^factor must be .* got NoneType"),
    (lambda: RowPredictor(NETWORK, (SCALE, Z[0], "linear")), r"^factor must .*\(2,\), got \(3,\)"),
    (lambda: BatchPredictor(NETWORK, (Z[0], Z[0], Z[0], [1])), "^high must be an .* got list"),
    (lambda: RowPredictor(NETWORK, None, (Z[0], SCALE, Z[0], Z[0])), r"^shift .* got \(2,\)"),
    (lambda: RowSource(SPREAD), "^array must be C-contiguous"),
    (lambda: RowSource(X[0]), r"^array must have 2 dimensions, got .*\(2,\)"),
    (lambda: RowSource([[1.0]]), "^array must be an ndarray .* got list"),
    (lambda: RowSource(X.astype("f2")), "^array must be an ndarray .* got float16"),
    (lambda: RowSource(X, [0, 4]), "^indices must hold row numbers from 0 to 3, got 0 to 4"),
    (lambda: RowSource(X, [0.5]), r"^indices must hold .*got an array of shape \(1,\) and float"),
    (lambda: RowSource(X, [[1]]), r"^indices must hold .*got an array of shape \(1, 1\)"),
    (lambda: Backprop(NETWORK, "mse", 4).loss_and_gradient("X", Z), "^X must be an array of real"),
    (lambda: Backprop(NETWORK, "mse", 4).loss_and_gradient(3.0, Z), r"^X must have .*got \(\)"),
    (lambda: Backprop(NETWORK, "mse", 4).loss_and_gradient(X, ["a"]), "^y must be an array of"),
    (lambda: Backprop(NETWORK, "mse", 4).loss_and_gradient(X, X), r"^y must have shape \(4, 3\)"),
    (lambda: trained(order=np.arange(4.0)), "^order must be an ndarray of int64, got float64"),
    (lambda: trained(order=np.arange(8)[::2]), "^order must be C-contiguous"),
    (lambda: trained(order=[0, 1]), "^order must be an ndarray of int64, got list"),
    (lambda: trained(order=np.arange(5)), "^order must hold .* from 0 to 3, got 0 to 4"),
    (lambda: trained(rates=np.ones(4)[::2]), "^rates must be C-contiguous"),
    (lambda: trained(rates=np.ones(2, "f4")), "^rates must be an ndarray of float64, got float32"),
    (lambda: trained(rates=np.ones(3)), "^rates must have one entry for each of the 2 .* got 3"),
    (lambda: trained(weights=X), "'weights' has incorrect type .*RowSource, got numpy.ndarray"),
])  # fmt: skip
def test_methods_name_the_argument_too(use, message):
    before = NETWORK.flat()
    with pytest.raises((TypeError, ValueError), match=message):
        use()
    assert np.array_equal(NETWORK.flat(), before)
