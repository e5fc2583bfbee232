"""Predictions for Dask collections, partition by partition."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np

from cnn_core._few import other_features
from cnn_core._names import choose
from cnn_core.dask.engine import hold, package
from cnn_core.dask.rows import is_collection
from cnn_core.data.validation import check_names

#: What may be asked for, and the method that gives it.
OUTPUTS = {"labels": "predict", "proba": "predict_proba", "forward": "forward"}


def predict(model: Any, X: Any, output: str = "labels") -> Any:
    """Predictions of a fitted estimator for a Dask collection, lazily, one thread a partition.

    The model stands in the graph once. What is predicted for a row has the bits of
    ``model.predict`` however the rows are cut into partitions.

    Parameters
    ----------
    model : estimator
        A fitted estimator of this package, in memory.
    X : dask DataFrame or Array, shape (rows, features)
        With the columns that the model takes.
    output : {'labels', 'proba', 'forward'}, default 'labels'
        What `predict`, `predict_proba` or `forward` gives.

    Returns
    -------
    dask Series, DataFrame or Array
        With the partitions, and the index, of X. Columns of probabilities are called by their
        classes.

    Raises
    ------
    ImportError
        Without the packages of the extra ``dask``.
    """
    choose("output", output, tuple(OUTPUTS))
    if hasattr(model, "to_local"):
        model = model.to_local()
    if not hasattr(model, OUTPUTS[output]):
        raise ValueError(f"{type(model).__name__} has no {OUTPUTS[output]}")
    return lazily(model, X, output)


def lazily(model: Any, X: Any, output: str) -> Any:
    """See `predict`."""
    if not is_collection(X):
        raise TypeError(
            f"X must be a Dask DataFrame or Array, got {type(X).__name__}; to_local() gives an MLP "
            "that predicts rows in memory"
        )
    one = _with_one_thread(model)
    _check_features(one, X)
    task = package("dask").delayed(hold, pure=False)(one)
    like = _empty(one, output)
    if hasattr(X, "chunks"):
        return _of_array(X, task, output, like)
    meta = _framed(like, X._meta.index[:0], _columns(one, output))
    return X.map_partitions(of_partition, task, output, meta, meta=meta, enforce_metadata=False)


def _check_features(model: Any, X: Any) -> None:
    """Raise for other features than those of the fit, before anything is computed. What becomes of
    the columns of a table is for the partitions to say."""
    if getattr(model, "columns_", None) is not None:
        return
    check_names(X._meta, getattr(model, "feature_names_in_", None))
    width = X.shape[1] if len(X.shape) == 2 else None
    if isinstance(width, int) and width != model.n_features_in_:
        raise ValueError(other_features("X", width, model.n_features_in_))


def _of_array(X: Any, task: Any, output: str, like: np.ndarray) -> Any:
    """The predictions for an Array."""
    if X.ndim != 2:
        raise ValueError(f"X must have two dimensions (rows, features), got shape {X.shape}")
    X = X.rechunk({1: -1})
    da, delayed = package("dask.array"), package("dask").delayed
    lengths = X.chunks[0]
    pieces = X.to_delayed().ravel().tolist()
    blocks = [
        da.from_delayed(
            delayed(of_partition, pure=False)(piece, task, output, None),
            (n, *like.shape[1:]),
            dtype=like.dtype,
            meta=like,
        )
        for piece, n in zip(pieces, lengths)
    ]
    return da.concatenate(blocks)


def of_partition(part: Any, model: Any, output: str, meta: Any) -> Any:
    """The predictions for a partition; `meta` is an empty one of a frame's."""
    found = getattr(model, OUTPUTS[output])(part) if len(part) else _empty(model, output)
    return found if meta is None else _framed(found, part.index, getattr(meta, "columns", None))


def _framed(values: np.ndarray, index: Any, columns: Any) -> Any:
    pandas = package("pandas")
    if values.ndim == 1:
        return pandas.Series(values, index=index)
    return pandas.DataFrame(values, index=index, columns=columns)


def _columns(model: Any, output: str) -> Any:
    """Names of the columns that are predicted."""
    classes = getattr(model, "classes_", None) if output == "proba" else None
    return None if classes is None or isinstance(classes, list) else list(classes)


def _empty(model: Any, output: str) -> np.ndarray:
    """What is predicted for no rows, in shape and dtype."""
    with warnings.catch_warnings():  # of a row that nobody has given
        warnings.simplefilter("ignore")
        found: np.ndarray = getattr(model, OUTPUTS[output])(_any_row(model))[:0]
    return found


def _any_row(model: Any) -> Any:
    """A row that the model takes."""
    columns = getattr(model, "columns_", None)
    if columns is not None:
        return package("pandas").DataFrame({name: [None] for name in columns.names})
    row, names = np.zeros((1, model.n_features_in_)), getattr(model, "feature_names_in_", None)
    return row if names is None else package("pandas").DataFrame(row, columns=names)


def _with_one_thread(model: Any) -> Any:
    one = copy.copy(model)
    if hasattr(one, "n_threads"):
        one.n_threads = 1
    return one
