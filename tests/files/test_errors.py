"""A file that is no model, damaged or nonsensical is one error, ModelFormatError, that names the
file, the place in it and the reason."""

import gzip
import io
import os
import pickle
import struct
import sys
import zlib
from fractions import Fraction

import numpy as np
import pytest
from cnn_core.files import container, strict_json
from file_cases import CASES, LINE, THREE, TWO, X, fitted, of_sklearn, of_stream, quietly
from file_edits import changed, put, put_together, taken_apart, with_header, written

import cnn_core
from cnn_core import MLP, ModelFormatError


def saved(model, **options):
    file = io.BytesIO()
    quietly(model.save, file, **options)
    return file.getvalue()


PLAIN = saved(fitted(THREE)[0], optimizer=True)
REGRESSION = saved(fitted(LINE)[0], optimizer=True)
CLIPPED = saved(CASES["clipped"]()[0])
SCALED = saved(CASES["scale_inputs robust"]()[0])
EMBEDDED = saved(CASES["embedded column"]()[0])
STREAM = saved(of_stream(1)[0], optimizer=True)
LBFGS = saved(fitted(LINE, optimizer="lbfgs")[0], optimizer=True)
REFERENCE = saved(CASES["python"]()[0], optimizer=True)


def refusal(data, **options):
    with pytest.raises(ModelFormatError) as caught:
        cnn_core.load(data, **options)
    message = str(caught.value)
    assert message.startswith("these bytes: ")
    assert ". " not in message or "parameter of MLP" in message  # that is scikit-learn's
    assert len(message) < 600
    return message.removeprefix("these bytes: ")


def header_of(data):
    length = int.from_bytes(data[:8], "little")
    return data[8 : 8 + length].rstrip(b" "), data[8 + length :]


HEADER, BODY = header_of(PLAIN)


def numpy_bytes(save):
    file = io.BytesIO()
    save(file, X)
    return file.getvalue()


NO_MODEL = {
    "no bytes": (b"", "no model file, or cut off: it has 0 bytes"),
    "7 bytes": (b"1234567", "it has 7 bytes"),
    "a header alone": (PLAIN[:100], "it has 100 bytes, and its header alone"),
    "cut in the header": (PLAIN[:500], "its header alone"),
    "cut by a byte": (PLAIN[:-1], "its tensors are damaged"),
    "a byte more": (PLAIN + b"\0", "its tensors are damaged"),
    "a text": (b"this is not a model of any kind", "no model file, or cut off: it has 31 bytes"),
    **{
        f"a pickle of protocol {n}": (
            pickle.dumps(fitted(THREE)[0], n),
            "it is a pickle, which joblib",
        )
        for n in range(2, 6)
    },
    "an old pickle": (pickle.dumps(np.float64(1), 0), "it is no model file"),
    "as joblib compresses": (zlib.compress(PLAIN), "it is compressed, perhaps a pickle"),
    "gzip": (gzip.compress(PLAIN), "it is compressed"),
    "an array": (numpy_bytes(np.save), "it is an array, which numpy.load reads"),
    "arrays": (numpy_bytes(np.savez), "it is a zip archive, as numpy.load, torch.load or Keras"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "it is an HDF5 file, as Keras reads"),
    "zeros": (bytes(1000), "its header is no JSON object"),
    "a large header": (
        struct.pack("<Q", container.HEADER + 1) + b"{" * (container.HEADER + 9),
        "and no model file has more than",
    ),
    "no JSON": (with_header("{no}", b""), "its header is no JSON: Expecting property name"),
    "no UTF-8": (with_header(b'{"\xff": 1}', b""), "its header is not UTF-8 at byte 2"),
    "a key twice": (
        with_header(HEADER.replace(b"{", b'{"a":1,"a":1,', 1), BODY),
        "its header has the key 'a' twice in one object",
    ),
    "NaN": (with_header('{"a":NaN}', b""), "its header has NaN, which is no JSON"),
    "infinity": (with_header('{"a":-Infinity}', b""), "its header has -Infinity"),
    "many digits": (with_header('{"a":%s}' % (9 * "12345"), b""), "a number of 45 digits"),
    "deep": (with_header('{"a":' + 40_000 * "[" + 40_000 * "]" + "}", b""), "too many lists and"),
    "wide": (with_header('{"a":[' + 60_000 * "[]," + "0]}", b""), "more than 50,000 lists and"),
    "no metadata": (with_header("{}", b""), "it has tensors alone, without the model"),
    "other metadata": (with_header('{"__metadata__":{"a":"b"}}', b""), "no text 'cnn_core'"),
    "no text": (with_header('{"__metadata__":{"cnn_core":1}}', b""), "no text 'cnn_core'"),
    "no SHA-256": (
        with_header(HEADER.replace(b"sha256", b"sha512"), BODY),
        "it has no SHA-256 of its content",
    ),
    "another SHA-256": (
        with_header(HEADER.replace(rb"\"seed\":", rb"\"seed\":1"), BODY),
        "its SHA-256 is not that of its content: it is damaged, or was changed by hand",
    ),
    "a changed weight": (PLAIN[:-1] + bytes([PLAIN[-1] ^ 1]), "its SHA-256 is not that"),
    "a changed length": (
        with_header(HEADER.replace(b"[0,", b"[4,"), BODY),
        "its tensors are damaged: ",
    ),
}


@pytest.mark.parametrize("name", NO_MODEL)
def test_what_is_no_model_file_says_why(name):
    data, reason = NO_MODEL[name]
    assert reason in refusal(data)


def rename(old, new):
    def change(parts):
        parts.tensors[new] = parts.tensors.pop(old)

    return change


def tensor(name, dtype, shape, data):
    def change(parts):
        parts.tensors[name] = [dtype, shape, data]

    return change


def drop(*path):
    def change(parts):
        at = parts.content
        for key in path[:-1]:
            at = at[key]
        del at[path[-1]]

    return change


def text(old, new):
    def change(parts):
        content = written(parts.content)
        assert old in content
        return parts._replace(content=content.replace(old, new, 1))

    return change


def number(place, digits):
    def change(parts):
        put(place, "here")(parts)
        return text('"here"', digits)(parts)

    return change


F32 = np.float32
NONSENSE = [
    # the frame
    (put("format", 3), "in format 3, and this version reads formats up to 2: update cnn_core"),
    (put("format", True), "format must be a whole number from 1 to"),
    (put("format", 0), "format must be a whole number from 1"),
    (drop("version"), "version must be a text, got None"),
    (put("bits", "6"), "bits must be a whole number"),
    (put("class", "os.system"), "class must be one of 'MLP', "),
    (drop("parameters"), "parameters must be an object, got None"),
    (drop("model"), "the model must be an object, got None"),
    (text('"seed":', '"seed":0,"seed":'), "its metadata has the key 'seed' twice"),
    (text('"seed":', '"seed":NaN,"a":'), "its metadata has NaN"),
    (put("rubbish", 1), "it has 'rubbish', which is not known"),
    # tensors
    (rename("0.weight", "0.weights"), "the tensor '0.weight' is missing"),
    (tensor("9.weight", "F32", [1], bytes(4)), "the tensor '9.weight' belongs to nothing"),
    (tensor("0.bias", "F64", [6], bytes(48)), "must be of float32 and of shape (6,), got float64"),
    (tensor("0.bias", "F32", [6, 1], bytes(24)), "of shape (6,), got float32 and (6, 1)"),
    (tensor("0.bias", "F32", [7], bytes(28)), "of shape (6,), got float32 and (7,)"),
    (tensor("0.bias", "I32", [6], bytes(24)), "is of I32, and must be of F32 or F64"),
    (tensor("0.bias", "F32", [6], bytes(25)), "its tensors are damaged"),
    (
        tensor("0.bias", "F32", [6], F32([0, 0, np.nan, 0, 0, 0]).tobytes()),
        "the tensor '0.bias' has entries that are not finite; allow_nonfinite=True loads",
    ),
    (rename("state.slots.1", "state.slots.2"), "the tensor 'state.slots.1' is missing"),
    (put("model.state.slots.1", "state.slots.0"), "state.slots.1 must be 'state.slots.1'"),
    (tensor("state.slots.0", "F32", [3, 1], bytes(12)), "must have one dimension, got 2"),
    (
        tensor("state.slots.0", "F32", [3], bytes(12)),
        "slots of a state of adam must be of the shapes",
    ),
    # the model
    (drop("model", "seed"), "the model has no 'seed'"),
    (put("model.more", 1), "the model has 'more'; known are network, training_spec, "),
    (put("model.network.version", 8), "network: NetworkSpec: version must be from 1 to 7"),
    (put("model.network.widths", [3, 6, 4]), "widths"),
    (put("model.network.widths", [3, 6, 4, 10**15]), "the tensor '4.weight' must be of float32"),
    (put("model.network.widths", [3, 6, True, 3]), "network: NetworkSpec: widths[2] must be"),
    (put("model.network.activations", ["relu", "os", "softmax"]), "activations[1]"),
    (put("model.network.activation_params", [0, 1, 0]), "takes no number, got 1"),
    (put("model.network.dtype", "float16"), "dtype must be 'float32' or 'float64'"),
    (put("model.network.bias", 1), "NetworkSpec: bias must be True or False"),
    (put("model.training_spec.loss", "os"), "training_spec: unknown loss 'os'; choose from"),
    (put("model.training_spec.loss", "hinge"), "training_spec has the loss 'hinge', and task"),
    (put("model.training_spec.batch_size", 0), "batch_size must be"),
    (put("model.training_spec.optimizer", "rubbish"), "optimizer"),
    (put("model.training_spec.optimizer", "sgd"), "training_spec: "),
    (put("model.training_spec.dropout", [0.1]), "dropout"),
    (put("model.training_spec", []), "TrainingSpec.from_dict takes a dict, got list"),
    (put("model.task", 1), "task must be an object, got 1"),
    (put("model.task.name", "ranking"), "task.name must be one of 'classification', "),
    (put("model.task.name", "multilabel"), "the loss 'sparse_categorical_crossentropy' does not"),
    (put("model.task.name", "regression"), "task has classes, and is a regression"),
    (put("model.task.loss", "mine"), "task.loss must be one of 'mse', "),
    (put("model.task.loss", "hinge"), "output 'softmax' is never negative"),
    (put("model.task.loss", "poisson"), "the loss 'poisson' is for counts"),
    (put("model.task.loss", "perceptron"), "the loss 'perceptron' is for two classes"),
    (put("model.task.output", "gelu"), "task has 3 outputs 'gelu', and the network 3 of"),
    (put("model.task.n_outputs", 4), "task has 4 outputs 'softmax', and the network 3 of"),
    (put("model.task.n_outputs", 3.0), "task.n_outputs must be a whole number from 1"),
    (put("model.task.flat", 1), "task.flat must be true or false, got 1"),
    (put("model.task.classes", None), "task.classes is no vector"),
    (put("model.task.classes.values", [0, 1]), "task has 2 classes and 3 outputs"),
    (put("model.task.classes.values", [0, 2, 1]), "task.classes is not in ascending order"),
    (put("model.task.classes.values", [0, 1, True]), "task.classes.values.2 must be a whole"),
    (put("model.task.classes.values", [0, 1, 2**64]), "must be a whole number from -"),
    (put("model.task.classes.values", "abc"), "task.classes.values must be a list"),
    (put("model.task.classes.dtype", "<i9"), "task.classes.dtype must be the name of a NumPy"),
    (put("model.task.classes.dtype", "<M8[s]"), "must be the name of a NumPy dtype of bools"),
    (put("model.task.classes.dtype", "<U999999"), "texts of at most 1,048,576 characters"),
    (put("model.task.classes", {"dtype": "<i1", "values": [0, 1, 300]}), "task.classes"),
    (
        put("model.task.classes", {"dtype": "<U2", "values": ["a", "bc", "def"]}),
        "task.classes.values must be values that <U2 holds as they are",
    ),
    (put("model.task.classes", {"dtype": "|S2", "values": ["a", "b", "€"]}), "U+0000 to U+00FF"),
    (put("model.task.classes", {"dtype": "|O", "values": [1, "a", 2]}), "cannot be compared"),
    (put("model.task.classes", {"dtype": "|O", "values": [1, 2, [3]]}), "a bool, a number, a text"),
    (put("model.task.classes", [1, 2]), "must be an object with 'dtype' and 'values'"),
    (
        put("model.feature_names", {"dtype": "|O", "values": ["a", "b"]}),
        "feature_names has the shape (2,), not (3,)",
    ),
    (put("model.scaling", {}), "scaling has no 'shift'"),
    (put("model.seed", -1), "seed must be a whole number from 0 to 18446744073709551615"),
    (put("model.seed", 1.0), "seed must be a whole number"),
    (
        number("model.baseline", "1e999"),
        "baseline must be a number, 'nan', 'inf' or '-inf'",
    ),
    (number("parameters.tol", "-1e999"), "tol must be a number, got -inf"),
    (number("model.training_spec.l2", "1e999"), "TrainingSpec: l2 must be a finite"),
    (put("model.baseline", "much"), "baseline must be a number, 'nan', 'inf' or '-inf'"),
    (put("model.baseline", True), "baseline must be a number"),
    (put("model.history.columns.loss", [0.5]), "history: its columns differ in length"),
    (put("model.history.columns.loss.1", None), "history.loss.1 must be a number"),
    (put("model.history.columns", 1), "history must be an object with 'columns'"),
    (put("model.history.streamed", 4), "history counts more entries than its 3"),
    (put("model.history.gaps", [[1]]), "history.gaps.0 must be a list of 2"),
    (put("model.history.memory", {}), "history.memory must be a number"),
    (put("model.best_epoch", 4), "best_epoch is 4, and there are 3 epochs"),
    (put("model.ended", "why"), "ended must be one of ''"),
    (put("model.stream", [1, 2]), "stream is (1, 2)"),
    (put("model.state.backend", "cuda"), "state.backend must be one of 'native', 'python'"),
    (put("model.state.optimizer", "sgd"), "state has 'numbers'|this state is of a run with sgd"),
    (put("model.state.numbers", [1.0]), "the numbers of a state must be a list of"),
    (put("model.state.steps", -1), "state.steps must be a whole number from 0"),
    (put("model.state", 1), "state must be an object, got 1"),
    (put("model.seen.X", [[1.0], []]), "seen.X: its two lists differ in length"),
    (put("model.seen.X", [[1.0], [1.0]]), "seen.X is no array of float64 of shape (2, 3)"),
    (put("model.seen.rules.min_delta", "nan"), "seen.rules.min_delta must be a number, got 'nan'"),
    # parameters
    (put("parameters.rubbish", 1), "the parameter 'rubbish' is not known"),
    (put("parameters.callbacks", []), "the parameter 'callbacks' is not known"),
    (put("parameters.hidden", "many"), "parameters: hidden must be a whole number or a sequence"),
    (put("parameters.optimizer", {"object": "Adam", "values": {"rate": 1}}), "optimizer: Adam"),
    (put("parameters.optimizer", {"object": "Adam", "values": {"beta1": 2}}), "optimizer: Adam: b"),
    (put("parameters.optimizer", {"object": "os", "values": {}}), "optimizer must be one of"),
    (put("parameters.optimizer", {"object": "Optimizer", "values": {}}), "optimizer must be one"),
    (put("parameters.optimizer", {"code": "exit()"}), "optimizer must be a value or one of"),
    (put("parameters.random_state", {"hex": "12"}), "random_state must be 16 to 1000 hexadecimal"),
    (put("parameters.random_state", {"hex": "f" * 2000}), "16 to 1000 hexadecimal digits"),
    (put("parameters.random_state", 2**65), "random_state must be a whole number from"),
    (put("parameters.class_weight", {"dict": [[1, 1.0], [True, 2.0]]}), "has the key True twice"),
    (put("parameters.class_weight", {"dict": [[1]]}), "class_weight must be a key and a value"),
    (put("parameters.class_weight", {"dict": [[[1], 2]]}), "must be a label, as the key of a dict"),
    (put("parameters.tol", {"float": "big"}), "tol must be a number, 'nan', 'inf' or '-inf'"),
    (put("parameters.hidden", 9 * [[]]), "hidden must be"),
    (put("parameters.hidden", [[[[[[[[[[1]]]]]]]]]]), "hidden must be no more than 8 lists and"),
    (
        put("parameters.init", {"array": {"dtype": "<f4", "values": [1.0]}, "shape": [2, 3]}),
        "init must be an array of numbers and the shape of its 1",
    ),
]


@pytest.mark.parametrize("change, reason", NONSENSE, ids=[reason for _, reason in NONSENSE])
def test_a_nonsensical_model_behind_a_right_checksum_says_why(change, reason):
    message = refusal(changed(PLAIN, change))
    assert any(one in message for one in reason.split("|")), message


OTHERS = [
    (REGRESSION, put("model.task.one_hot", None), "task.one_hot must be true or false, got None"),
    (REGRESSION, put("model.target_scaling.factor", [0.0]), "target_scaling.factor is not above 0"),
    (
        REGRESSION,
        put("model.target_scaling.factor", [1.0, 1.0]),
        "must have shape (1,), got (2,)",
    ),
    (CLIPPED, put("model.target_scaling.low", [1e9]), "target_scaling has low above high"),
    (REGRESSION, put("model.task.output", "relu"), "task has 1 outputs 'relu', and the network"),
    (REGRESSION, put("model.task.classes", {"dtype": "<i8", "values": [1]}), "task has classes"),
    (EMBEDDED, rename("embedding.0.weight", "x"), "the tensor 'embedding.0.weight' is missing"),
    (
        EMBEDDED,
        put("model.network.embeddings", [[8, 2]]),
        "the tensor 'embedding.0.weight' must be of float32 and of shape (8, 2)",
    ),
    (EMBEDDED, put("model.network.embeddings", [[7, 6]]), "widths[0] must be at least the 6 num"),
    (EMBEDDED, put("model.network.embeddings", [[7]]), "embeddings must be pairs"),
    (EMBEDDED, put("model.network.embeddings", []), "shift must have shape (5,), got (3,)"),
    (EMBEDDED, put("model.network.version", 2), "the key 'embeddings' is unknown"),
    (EMBEDDED, put("model.columns.columns.3.dim", 3), "columns has the embeddings ((7, 3),)"),
    (EMBEDDED, put("model.columns.columns.3.dim", 0), "dim must be a whole number from 1"),
    (EMBEDDED, put("model.columns.columns.3.values", ["0"] * 7), "or one of them twice"),
    (STREAM, put("model.first_rows.rows", 4), "first_rows: X and y have no 4 rows"),
    (STREAM, put("model.first_rows.columns", 5), "X and y have no 5 rows|first_rows"),
    (STREAM, put("model.first_rows.weights", [1.0]), "there are 1 weights of 5 rows"),
    (STREAM, put("model.first_rows.weights", [-1.0] * 5), "first_rows.weights are no 5 numbers"),
    (STREAM, rename("first_rows.network", "x"), "the tensor 'first_rows.network' is missing"),
    (SCALED, put("model.scaling.kind", "os"), "scaling.kind must be one of ''"),
    (
        SCALED,
        put("model.scaling.shift", [0.0, 1.0]),
        "must have shape (3,), got (2,)|is no vector",
    ),
    (SCALED, put("model.scaling.shift", [0.0, 1.0, "nan"]), "scaling.shift.2 must be a number"),
    (SCALED, put("model.scaling.constant", [True]), "scaling.constant is no vector of 3 bools"),
    (LBFGS, put("model.state.pairs.0.2", "nan"), "state.pairs.0.2 must be a number"),
    (LBFGS, put("model.state.pairs.0", []), "state.pairs.0 must be a list of 3"),
    (LBFGS, tensor("state.pairs.0.1", "F32", [1], bytes(4)), "the pairs of a state must be"),
    (REFERENCE, tensor("state.slots.0", "F32", [1], bytes(4)), "must be of float64, got float32"),
    (REFERENCE, tensor("state.slots.0", "F64", [1], bytes(8)), "slots of a state must be a list"),
    (REFERENCE, put("model.state.numbers", [1.0]), "state.numbers must be an object"),
]


@pytest.mark.parametrize("data, change, reason", OTHERS, ids=[reason for *_, reason in OTHERS])
def test_other_nonsense_says_why(data, change, reason):
    message = refusal(changed(data, change))
    assert any(one in message for one in reason.split("|")), message


def sklearn_files():
    pytest.importorskip("sklearn")
    return (
        saved(of_sklearn("MLPClassifier", THREE, 1)[0], optimizer=True),
        saved(of_sklearn("MLPRegressor", LINE, 1)[0], optimizer=True),
    )


OF_SKLEARN = [
    (
        put("model.layers", 3),
        "layers must be a whole|'4.weight' is missing",
    ),
    (put("model.layers", 10**9), "layers must be a whole number from 1 to"),
    (put("model.n_layers", 4), "the weights are of widths [3, 6, "),
    (put("model.n_outputs", 9), "n_outputs 9"),
    (put("model.n_features_in", 2), "coefs_[0] and intercepts_[0] must have shapes"),
    (drop("model", "n_iter"), "the model has no 'n_iter'"),
    (put("model.rubbish", 1), "the model has 'rubbish'; known are layers, "),
    (put("model.activations", ["relu", "os"]), "unknown activation 'os'"),
    (put("model.activations", [1, "relu"]), "activations cannot be"),
    (put("model.out_activation", "os"), "out_activation must be one of"),
    (tensor("0.weight", "F32", [6, 3], bytes(72)), "weights and biases must be of one dtype"),
    (tensor("0.weight", "F64", [18], bytes(144)), "must have shapes"),
    (rename("2.bias", "3.bias"), "the tensor '2.bias' is missing"),
    (put("model.stream.key", [1]), "stream must be 624 whole numbers"),
    (put("model.stream.pos", 700), "stream.pos must be a whole number from 0 to 624"),
    (put("model.optimizer.name", "os"), "optimizer.name must be one of"),
    (put("model.optimizer.state.steps", 1.5), "optimizer.state.steps must be a whole number"),
    (
        tensor("optimizer.state.slots.0", "F64", [2], bytes(16)),
        "the slots of a state of",
    ),
    (put("parameters.alpha", -1), "parameters: The 'alpha' parameter of"),
    (
        put("model.feature_names_in", {"dtype": "|O", "values": ["a"]}),
        "there are 1 feature names and 3 features",
    ),
]


@pytest.mark.parametrize("change, reason", OF_SKLEARN, ids=[reason for _, reason in OF_SKLEARN])
def test_nonsense_of_scikit_learns_estimators_says_why(change, reason):
    for data in sklearn_files():
        message = refusal(changed(data, change))
        assert any(one in message for one in reason.split("|")), message


@pytest.mark.parametrize(
    "change, reason",
    [
        (put("model.classes.values", [0, 1]), "the classes do not fit 3 outputs"),
        (put("model.label_binarizer.y_type", "binary"), "do not fit 3 outputs of 'binary'"),
        (drop("model", "label_binarizer"), "classes, or a label_binarizer, without the other"),
    ],
)
def test_classes_of_scikit_learns_classifier_must_fit(change, reason):
    assert reason in refusal(changed(sklearn_files()[0], change))


def test_put_together_gives_back_what_was_taken_apart():
    for data in (PLAIN, REGRESSION, STREAM, LBFGS, REFERENCE):
        assert put_together(taken_apart(data)) == data


def test_weights_that_are_not_finite_are_for_those_who_ask(tmp_path):
    model = fitted(LINE, scale_targets=None)[0]
    weights = [W.copy() for W in model.weights_]
    weights[1][0, 0] = np.inf
    for l, W in enumerate(weights):
        model._fitted.network.set_layer(l, W, model.biases_[l])
    path = tmp_path / "model"
    with pytest.raises(
        ValueError, match=r"tensor '2.weight' has entries .* allow_nonfinite=True saves"
    ):
        model.save(path)
    assert not path.exists()
    model.save(path, allow_nonfinite=True)
    with pytest.raises(ModelFormatError, match=f"^{path}: the tensor '2.weight' has entries"):
        MLP.load(path)
    assert np.isinf(MLP.load(path, allow_nonfinite=True).weights_[1][0, 0])


def test_messages_name_the_file(tmp_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(PLAIN[:-1])
    for source in (path, str(path)):
        with pytest.raises(ModelFormatError, match=f"^{path}: its tensors are damaged"):
            cnn_core.load(source)
    with open(path, "rb") as file, pytest.raises(ModelFormatError, match=f"^{path}: "):
        cnn_core.load(file)
    with pytest.raises(ModelFormatError, match="^this file: "):
        cnn_core.load(io.BytesIO(b"no"))
    with pytest.raises(FileNotFoundError):
        MLP.load(tmp_path / "none")


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (b"", "its header is no JSON object"),
        (b"\x93NUMPY", "it is an array"),
        ((60).to_bytes(8, "little") + b"{", "its header is no JSON: "),
        ((8).to_bytes(8, "little") + b'{"a":{}}', "it has tensors alone"),
        ((28).to_bytes(8, "little") + b'{"__metadata__":{"it":"is"}}', "it is no file of cnn_core"),
    ],
)
def test_a_large_file_of_another_program_is_refused_by_its_header(start, reason, tmp_path):
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.write(start)
        file.truncate(1 << 40)  # more than any machine reads
    for read in (cnn_core.load, lambda path: MLP.resume(path, X, X[:, 0])):
        with pytest.raises(ModelFormatError, match=f"^{path}: .*{reason}"):
            read(path)


def test_sources_and_targets_of_other_types_are_refused(tmp_path):
    model = fitted()[0]
    for wrong in (None, 3, b"path", ["path"]):
        with pytest.raises(TypeError, match="save takes a path or a binary file, got"):
            model.save(wrong)
    for wrong in (None, 3, ["path"]):
        with pytest.raises(TypeError, match="load takes a path, a binary file or bytes, got"):
            MLP.load(wrong)
    with open(tmp_path / "text", "w") as file:
        with pytest.raises(TypeError, match="save needs a file that is open in binary mode"):
            model.save(file)
        with pytest.raises(TypeError, match="save needs a file that is open in binary mode"):
            model.save(io.StringIO())
    with (
        open(tmp_path / "text") as file,
        pytest.raises(TypeError, match="open in binary mode, got str"),
    ):
        MLP.load(file)


@pytest.mark.slow
def test_what_cannot_be_saved_says_so_and_writes_nothing(tmp_path):
    path, classes = tmp_path / "model", {"task": "classification"}
    with pytest.raises(cnn_core.NotFittedError, match="is not fitted yet"):
        MLP().save(path)
    model = fitted(np.array([Fraction(1, 3), Fraction(2, 3)], object)[TWO], **classes)[0]
    with pytest.raises(TypeError, match=r"task\.classes has Fraction.*, which no file can hold"):
        model.save(path)
    model = fitted(np.array([0.1, 0.7], np.longdouble)[TWO], **classes)[0]
    with pytest.raises(TypeError, match=r"task\.classes of .* cannot be kept in a file; take"):
        model.save(path)
    model = fitted()[0]
    model.hidden = -1
    with pytest.raises(ValueError, match="hidden layers need at least one neuron"):
        model.save(path)
    model = fitted()[0]
    model.init = [[[i]] for i in range(60_000)]
    with pytest.raises(ValueError, match="an init of arrays, takes .* lists and objects of JSON"):
        model.save(path)
    assert not os.listdir(tmp_path)


def test_a_history_that_is_too_long_for_a_file_says_so(monkeypatch):
    monkeypatch.setattr(container, "HEADER", 2000)
    with pytest.raises(ValueError, match="such as its history .* takes .* bytes of JSON, and"):
        saved(fitted()[0])


def test_without_safetensors_the_error_says_what_to_install(monkeypatch):
    model = fitted()[0]

    class Without:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "safetensors":
                raise ModuleNotFoundError("No module named 'safetensors'", name="safetensors")

    for name in [name for name in sys.modules if name.partition(".")[0] == "safetensors"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Without(), *sys.meta_path])
    file = saved(model)  # needs none
    with pytest.raises(ModuleNotFoundError, match="pip install safetensors"):
        cnn_core.load(file)


def test_an_optimizers_state_of_other_bits_is_told():
    other = changed(PLAIN, put("bits", cnn_core.bits + 1))
    with pytest.warns(UserWarning, match="results may differ in the last bits: training goes on"):
        cnn_core.load(other)
    without = saved(fitted()[0])
    cnn_core.load(changed(without, put("bits", cnn_core.bits + 1)))  # nothing goes on


def test_other_entries_of_the_metadata_are_ignored():
    header = HEADER.replace(b'{"__metadata__":{', b'{"__metadata__":{"note":"mine",')
    model = cnn_core.load(with_header(header, BODY))
    assert model.predict(X).shape == (40,)


def test_no_json_is_written_that_is_not_read():
    assert (
        strict_json.write({"a": [1, 2.5, None, True, "ü"]}) == b'{"a":[1,2.5,null,true,"\\u00fc"]}'
    )
    with pytest.raises(ValueError):
        strict_json.write(float("nan"))
