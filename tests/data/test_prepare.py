"""data.prepare: which rows are set apart, and that none is copied for it."""

import numpy as np
import pytest
from cnn_core.data.prepare import Preparation, prepare
from cnn_core.task_of_y import infer_task

X = np.random.default_rng(0).normal(size=(200, 5)).astype("float32")


def split(X, labels, fraction, seed=1):
    """The rows to train on and those set apart."""
    task = infer_task(labels, "auto", "auto", "auto", 0.0)
    how = Preparation("float32", validation_fraction=fraction)
    data = prepare(X, labels, task, how, lambda: seed)
    return data.train, data.validation


def test_rows_set_apart_are_the_same_share_of_each_class():
    labels = np.repeat(["a", "b", "c"], [100, 60, 40])
    train, apart = split(X, labels, 0.2)
    assert np.bincount(apart.labels.array[:, 0]).tolist() == [20, 12, 8]
    assert np.bincount(train.labels.array[:, 0]).tolist() == [80, 48, 32]
    rows = {row.tobytes() for part in (train, apart) for row in part.X.rows()}
    assert rows == {row.tobytes() for row in X}
    assert train.X.array is apart.X.array is X  # not copied


@pytest.mark.parametrize("rows_a_class", [3, 4, 5, 6, 14])
def test_many_small_classes_give_their_share_together(rows_a_class):
    labels = np.repeat(np.arange(40), rows_a_class)
    train, apart = split(np.zeros((len(labels), 2), "float32"), labels, 0.1, seed=0)
    assert apart.X.count == int(0.1 * len(labels) + 0.5)
    counts = np.bincount(apart.labels.array[:, 0], minlength=40)
    assert counts.max() - counts.min() <= 1 and np.bincount(train.labels.array[:, 0]).min() > 0


def test_a_seed_is_drawn_only_for_rows_that_are_good():
    task = infer_task([0, 1], "auto", "auto", "auto", 0.0)
    drawn = []
    how = Preparation("float32", validation_fraction=0.5)
    for wrong in (([[1.0], [np.nan]], [0, 1], None), ([[1.0], [2.0]], [0, 1], [1.0])):
        with pytest.raises(ValueError, match="X has nan|sample_weight has 1"):
            prepare(wrong[0], wrong[1], task, how, lambda: drawn.append(1) or 1, None, wrong[2])
    assert not drawn


def test_the_weight_of_a_class_may_be_as_large_as_float64_goes():
    task = infer_task([0, 1, 1], "auto", "auto", "auto", 0.0)
    how = Preparation("float64", class_weight={0: 1.7e308})
    data = prepare([[1.0], [2.0], [3.0]], [0, 1, 1], task, how, lambda: 1)
    weights = data.train.weights.array[:, 0]
    assert weights[0] > 0 and (weights[1:] == weights[0] / 1.7e308).all()
