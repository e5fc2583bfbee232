"""Checkpoints that were edited, and given a checksum that is right: one error that names the place,
or a training that goes on."""

import numpy as np
import pytest
from checkpoint_cases import X, base_files, cases
from file_edits import changed, put, taken_apart

from cnn_core import ModelFormatError

VECTOR = ["F32", [3], bytes(12)]


def put_tensor(name, tensor=VECTOR):
    def change(parts):
        parts.tensors[name] = tensor

    return change


def remove(place, name):
    def change(parts):
        del parts.content[place][name]

    return change


def all_of(*changes):
    def change(parts):
        for one in changes:
            one(parts)

    return change


def go_on(case, change, tmp_path, by="resume"):
    """What a training comes to from an edited file, and one from the file as it was."""
    kind, options, y, fit, _ = cases()[case]()
    path = tmp_path / "run.ckpt"
    (data,) = base_files([case])
    ends = []
    for content in (data, changed(data, change)):
        path.write_bytes(content)
        if by == "resume":
            ends.append(kind.resume(path, X, y, **fit))
        else:
            ends.append(kind(**options).fit(X, y, checkpoint=path, **fit))
    return ends


P = "progress."
EDITS = {
    "more batches than an epoch has": (
        "adam",
        put(P + "position.batches", 5),
        r"progress\.position\.batches must be at most 4, the mini-batches of an epoch, got 5",
    ),
    "a sum too few": (
        "adam",
        put(P + "position.sums", [0.0, 1.0, 2.0]),
        r"progress: a position must be .* and 4 sums, got 2 and \[0\.0, 1\.0, 2\.0\]",
    ),
    "more rows than can be counted": (
        "labels",
        put(P + "position.sums.2", "inf"),
        "the rows that are right must be a whole number, got inf",
    ),
    "no number of rows": (
        "labels",
        put(P + "position.sums.2", "nan"),
        "the rows that are right must be a whole number, got nan",
    ),
    "of the reference implementation": (
        "python",
        put(P + "position.sums", [0.0, 1.0, 2.0]),
        "a position must have 5 sums, got 3",
    ),
    "its rows": (
        "python",
        put(P + "position.sums.3", "inf"),
        "the rows that are counted must be a whole number, got inf",
    ),
    "parameters of another network": (
        "adam",
        put_tensor("progress.position.parameters"),
        r"progress: this network has 35 parameters, got an array of shape \(3,\)",
    ),
    "of the reference implementation, too": (
        "python",
        put_tensor("progress.position.parameters"),
        r"progress: this network has 16 parameters, got an array of shape \(3,\)",
    ),
    "best weights of another network": (
        "early stopping, tol",
        put_tensor("progress.best.0"),
        "progress: this network has 35 parameters",
    ),
    "best weights of an epoch to come": (
        "early stopping, tol",
        put(P + "best.1", 9),
        r"progress\.best\.1 must be an epoch from 1 to 2, got 9",
    ),
    "fewer epochs than are done": (
        "adam",
        all_of(put(P + "until", 1), put("model.state.epochs", 2)),
        r"progress\.until must be from 2, the epochs that are done, to 5, got 1",
    ),
    "epochs without end": (
        "adam",
        put(P + "until", 1 << 62),
        r"progress\.until must be from 1, .* to 4, got 4611686018427387904",
    ),
    "other rules": (
        "early stopping, tol",
        put(P + "stopping", []),
        "progress: the checkpoint is of a training that ended by other rules",
    ),
    "other rules of the drop-in": (
        "adaptive",
        put(P + "stopping", [[0.5, 0]]),
        "progress: the checkpoint is of a training that ended by other rules",
    ),
    "epochs without losses": (
        "MLPRegressor",
        put("model.n_iter", 10**9),
        r"n_iter is 1000000000, and loss_curve has \d entries",
    ),
    "widths of text": (
        "MLPRegressor",
        put("parameters.hidden_layer_sizes", ["4", 3]),
        r"parameters: hidden_layer_sizes must be whole numbers, got \['4', 3\]",
    ),
    "widths beyond all memory": (
        "MLPRegressor",
        put("parameters.hidden_layer_sizes", [10**9, 10**9]),
        "features, outputs or classes differ",
    ),
    "a slot of another shape": (
        "adam",
        put_tensor("state.slots.0"),
        r"the slots of a state of adam must be of the shapes .*, got \[\(3,\), ",
    ),
}


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("name", EDITS)
def test_an_edited_checkpoint_is_an_error_that_names_the_place(name, tmp_path):
    case, change, message = EDITS[name]
    if case not in cases():
        pytest.skip("needs scikit-learn")
    with pytest.raises(ValueError, match=message) as caught:
        go_on(case, change, tmp_path)
    assert "run.ckpt" in str(caught.value) or not isinstance(caught.value, ModelFormatError)


@pytest.mark.parametrize("by", ["resume", "fit"])
def test_a_parameter_that_older_versions_had_not_has_its_default(by, tmp_path):
    whole, end = go_on("adam", remove("parameters", "clip_outputs"), tmp_path, by)
    assert np.array_equal(whole.parameters_, end.parameters_)


def test_each_case_goes_on():
    for case, data in zip(cases(), base_files()):
        assert taken_apart(data).content["progress"]["finished"] == ("finished" in case)
