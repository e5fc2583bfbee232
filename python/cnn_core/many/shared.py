"""What models that train on the same rows have in common: rows are checked, encoded and scaled
once for all that do so alike, and so is what they show."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np

from cnn_core._dataset import RowSource
from cnn_core._frozen import replace
from cnn_core._warn import kept_warnings, warn
from cnn_core.causes.seen import Seen
from cnn_core.data.prepare import Dataset, Prepared
from cnn_core.data.validation import check_X
from cnn_core.many.rows import Part
from cnn_core.model import Model
from cnn_core.training import fit
from cnn_core.training.advice import draws

Value = TypeVar("Value")


class Whole:
    """All rows, of which models may have some.

    Parameters
    ----------
    X : array-like
    """

    def __init__(self, X: Any) -> None:
        self.X = X
        self._read: dict[str, np.ndarray | None] = {}

    def of(self, dtype: str) -> np.ndarray | None:
        """X as a network of a dtype reads it; None where not all rows can be read."""
        if dtype not in self._read:
            try:
                self._read[dtype] = check_X(self.X, dtype)
            except (TypeError, ValueError):  # of rows that nobody has, as each has been checked
                self._read[dtype] = None
        return self._read[dtype]


class SharedRows:
    """The same rows for several models.

    Parameters
    ----------
    given : Given
        What each is fitted on.
    whole : Whole
    part : Part or None
        Which of its rows they are; None for all.
    """

    def __init__(self, given: fit.Given, whole: Whole, part: Part | None) -> None:
        self.given, self.whole, self.part = given, whole, part
        self._known: dict[Any, tuple[Any, list[tuple[str, type[Warning]]]]] = {}

    def job(self, p: SimpleNamespace, before: Model | None, seed: int, began: float) -> fit.Job:
        """What `fit.begin` gives for a model with that seed."""
        if before is not None:
            rows = fit.read(p, self.given, before, lambda: seed)
            return fit.job_of(p, rows._replace(data=self._placed(rows)), began)
        fit.check_asked(p, self.given)
        key = self._key(p, seed)
        rows = self._once(key, lambda: self._read(p, seed))
        fit.check_trains(p, rows.task, self.given.purpose)
        rows = rows._replace(data=replace(rows.data, seed=seed))

        def advises(
            p: SimpleNamespace, model: Model, rows: fit.Read, batch_size: int
        ) -> tuple[list[str], Seen]:
            if not (isinstance(p.init, str) and draws(p.init)):  # it is of these weights
                return fit.advise(p, model, rows, batch_size)
            about = p.early_stopping, p.min_delta, p.tol, p.patience, p.shuffle, p.init
            inputs = map(_comparable, (p.numeric_embedding, p.monotone, p.convex))
            known = key, *about, p.shuffle or batch_size, *inputs
            findings, seen = self._once(known, lambda: fit.advise(p, model, rows, batch_size))
            return list(findings), seen

        job = fit.job_of(p, rows, began, advises)
        return job._replace(train=own(job.train), validation=job.validation and own(job.validation))

    def _key(self, p: SimpleNamespace, seed: int) -> tuple[Any, ...]:
        """All that the preparation of rows depends on."""
        how = fit.preparation(p, self.given.purpose)
        apart = how.validation_fraction is not None and self.given.validation is None
        asked = p.task, p.loss, p.output_activation, p.scale_targets, p.columns
        return *map(_comparable, (*asked, *vars(how).values())), seed if apart else None

    def _once(self, key: Any, make: Callable[[], Value]) -> Value:
        """What was made for a key, with the same warnings each time."""
        if key not in self._known:
            with kept_warnings() as said:
                made = make()
            self._known[key] = made, said
        made, said = self._known[key]
        for message, category in said:
            warn(message, category)
        return made

    def _read(self, p: SimpleNamespace, seed: int) -> fit.Read:
        rows = fit.read(p, self.given, None, lambda: seed)
        return rows._replace(data=self._placed(rows))

    def _placed(self, rows: fit.Read) -> Prepared:
        """The same data with rows of X that are read where they stand among all, if nothing was
        learned from them that changes them: then no model has a copy."""
        data = rows.data
        if self.part is None or data.scaling is not None or data.columns is not None:
            return data
        X, numbers = self.whole.X, self.part.numbers
        if isinstance(X, np.ndarray) and np.may_share_memory(data.train.X.array, X):
            return data
        array = self.whole.of(rows.how.dtype)
        if array is None:
            return data

        def placed(some: Dataset) -> Dataset:
            at = numbers if some.X.indices is None else numbers[some.X.indices]
            return replace(some, X=RowSource(array, at))

        validation = data.validation
        if validation is not None and data.apart is not None:
            validation = placed(validation)
        return replace(data, train=placed(data.train), validation=validation)


def own(data: Dataset) -> Dataset:
    """The same rows with sources that no other training reads ahead in."""
    X, y, labels, weights = (
        None if one is None else RowSource(one.array, one.indices)
        for one in (data.X, data.y, data.labels, data.weights)
    )
    return replace(data, X=X, y=y, labels=labels, weights=weights)


def _comparable(value: Any) -> Any:
    """What is equal for values that mean the same; objects that cannot be compared are themselves
    alone."""
    if type(value) is dict:
        return tuple((key, _comparable(one)) for key, one in value.items())
    try:
        hash(value)
    except TypeError:
        return id(value)
    return type(value), value
