"""`TabularMLP`: a few networks by a recipe that needs no tuning."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from types import MethodType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Never, Self

import numpy as np

from cnn_core._control import Exclusive
from cnn_core._names import refuse_keywords, without_unknown
from cnn_core._settable import only_settable
from cnn_core._warn import kept_warnings, warn
from cnn_core.averaging import Averaging
from cnn_core.conventions import Parameters
from cnn_core.data.prepare import SetApart
from cnn_core.many.progress import check_watching
from cnn_core.mean import MeanModel
from cnn_core.meaning import of_amounts, target_warnings
from cnn_core.mlp import MLP
from cnn_core.parameters import (
    RULES,
    check_class_weight,
    count,
    draw_seed,
    number,
    one_of,
    optional,
)
from cnn_core.tabular import recipe as recipes
from cnn_core.tabular.rows import Given, read, set_apart, with_embeddings
from cnn_core.tabular.training import Options, n_inputs, shared_rows, train, with_an_epoch

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core._typing import ColumnKind, TaskName
    from cnn_core.curves import Curves
    from cnn_core.data.weights import ClassWeight
    from cnn_core.files.codecs import Codec
    from cnn_core.many.shared import SharedRows
    from cnn_core.tabular.checkpoint import TabularCheckpoint

    #: A function ``(models, epoch, logs)``.
    Watcher = Callable[[list[MLP], int, dict[int, dict[str, float]]], bool | None]

#: Seeds of members are exact whole numbers of float64, whatever reads them.
_SEEDS = (1 << 53) - 1

#: What each parameter may be.
_CHECKS = {
    "task": one_of("auto", "classification", "regression"),
    "members": count(most=1000),
    "validation_fraction": number(0, 1, above=True),
    "columns": RULES["columns"],
    "class_weight": optional(check_class_weight),
    "max_seconds": RULES["max_seconds"],
    "n_threads": RULES["n_threads"],
    "random_state": RULES["random_state"],
    "verbose": RULES["verbose"],
}


class ForClasses:
    """A method that a regression does not have, as scikit-learn's tools expect."""

    def __init__(self, method: Any) -> None:
        self.method, self.__doc__ = method, method.__doc__

    def __get__(self, estimator: TabularMLP | None, kind: type) -> Any:
        if estimator is None:
            return self.method
        fitted = estimator._fitted
        if (estimator.task if fitted is None else fitted.task.name) == "regression":
            name = self.method.__name__
            raise AttributeError(f"a {kind.__name__} of a regression has no {name}; use predict")
        return MethodType(self.method, estimator)


class TabularMLP(Parameters, Averaging):
    """Networks for tables, by a recipe that needs no tuning: RealMLP of Holzmueller, Grinsztajn &
    Steinwart 2024, "Better by default", arXiv 2407.04491, of which a few are averaged.

    `fit` sets rows apart, trains `members` networks from other initial weights, keeps of each the
    weights of the epoch that was best on these rows (where rows or classes count unequally, and no
    validation_data are given: of the last), and predicts the mean, as `Ensemble` does. `recipe` is
    the MLP that each of them is.

    Parameters
    ----------
    task : {'auto', 'classification', 'regression'}
        As for `MLP`: 'auto' is a classification, but of float y a regression.
    members : int, default 4
        Networks that are averaged, at most 1,000. Time grows with them.
    validation_fraction : float, default 0.2
        Share of the rows, the same of each class, that the best epoch is chosen by, in (0, 1).
    columns : 'auto', dict or None, default 'auto'
        What the columns of X are, as `MLP` takes it. 'auto': a 2-D array of numbers is all numbers,
        with a column that says so where entries are NaN; in a table categories of more than 9
        values become 8 learned numbers each, the others columns of 0 and 1. A dict says it for some
        columns. None: X is a matrix without gaps.
    class_weight : dict or 'balanced', optional
        Weight of each class's rows, as for `MLP`.
    max_seconds : float, optional
        Stop each network after the first epoch that is over later than that after the fit began.
        One that has not finished its first epoch by then is left out, with a warning, unless all
        are: then all have their initial weights.
    n_threads : int, optional
        The most threads for training and prediction. Results do not depend on it.
    random_state : int, numpy Generator, RandomState or None
        Determines the rows set apart, initial weights and the order of rows; as for `MLP`.
    verbose : int, default 0
        1: the first round of epochs, the last and one a second is printed; 2: each.
    callbacks : function, or sequence of them, default ()
        Called as ``callback(models, epoch, logs)`` after each round of epochs, as by `fit_many`;
        True ends the training.

    Attributes
    ----------
    members_ : tuple of MLP
        The networks, fitted.
    history_ : list of dict
        The `history_` of each member.
    recipe_version_ : int
        Of the recipe that they were trained by, which files keep.
    classes_ : ndarray, shape (n_classes,)
        The class labels, sorted. Not there for regression.
    columns_ : Columns
        Where X was a table: prints as a line for each column, with what it becomes.
    validation_rows_ : ndarray of int
        The numbers of the rows that the last fit has set apart, sorted; the members train on the
        others. Not there where `validation_data` were given, and not in files.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        There when X was a table with names.

    Examples
    --------
    >>> from cnn_core import TabularMLP
    >>> rows = {"size": [50.0, 60, 70, 80] * 20, "city": ["Bern", "Rome"] * 40}
    >>> rent = [900.0, 1000, 1100, 1200] * 20
    >>> model = TabularMLP(members=2, random_state=0).fit(rows, rent)
    >>> model.score(rows, rent) > 0.9
    True
    """

    _in_files, _networks = "TabularMLP", "members_"

    def __init__(
        self,
        task: TaskName = "auto",
        *,
        members: int = 4,
        validation_fraction: float = 0.2,
        columns: Literal["auto"] | Mapping[Any, ColumnKind] | None = "auto",
        class_weight: ClassWeight = None,
        max_seconds: float | None = None,
        n_threads: int | None = None,
        random_state: int | np.random.Generator | np.random.RandomState | None = None,
        verbose: int = 0,
        callbacks: Watcher | Sequence[Watcher] = (),
    ) -> None:
        self.task, self.members, self.validation_fraction = task, members, validation_fraction
        self.columns, self.class_weight, self.max_seconds = columns, class_weight, max_seconds
        self.n_threads, self.random_state, self.verbose = n_threads, random_state, verbose
        self.callbacks = callbacks

    @without_unknown
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | str,
        *,
        sample_weight: ArrayLike | None = None,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: float | str = 60.0,
        **unknown: Never,
    ) -> Self:
        """Train the members.

        Parameters
        ----------
        X : array-like, shape (rows, features), or table
            A 2-D array of numbers, or a table as ``MLP(columns="auto")`` takes it.
        y : array-like, shape (rows,) or (rows, outputs), or str
            Class labels, or numbers to predict; of a table also the name of a column.
        sample_weight : array-like, shape (rows,), optional
            At least 0.
        validation_data : (X, y), optional
            Rows to choose the epoch by, in the place of rows set apart.
        checkpoint : path-like, optional
            A file that keeps all that the training consists of, also the seed and the version of
            the recipe, which say with the data which rows are set apart. Where it exists already,
            `fit` goes on from it, to the bits of a training that was never interrupted; where it is
            of a training that is over, its members are taken. Parameters and data must be the same,
            but for `n_threads`, `verbose`, `callbacks` and `max_seconds`.
        checkpoint_every : float or str, default 60
            Seconds between two of them, or rounds, such as ``'5 epochs'``; as for `fit_many`.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For input that cannot be trained on. The model is then as it was before.
        ModelFormatError, OSError
            For a `checkpoint` that is none, or damaged, and where the first one cannot be written.
        KeyboardInterrupt, SystemExit
            On Ctrl-C, and with a `checkpoint` on SIGTERM, within about 0.1 s. The model is then as
            it was before.
        """
        if unknown:
            known = ("X", "y", "sample_weight", "validation_data", "checkpoint", "checkpoint_every")
            refuse_keywords("fit", unknown, known)
        rows = X, y, sample_weight
        if checkpoint is None:
            return self._fit(rows, validation_data)
        from cnn_core.tabular.checkpoint import TabularCheckpoint
        from cnn_core.training.signals import Signals

        self._check_parameters()
        with Signals() as signals:
            kept = TabularCheckpoint(self, checkpoint, checkpoint_every, signals)
            return self._fit(rows, validation_data, kept)

    def _fit(
        self,
        rows: tuple[Any, Any, Any],
        validation_data: tuple[ArrayLike, ArrayLike] | None,
        checkpoint: TabularCheckpoint | None = None,
    ) -> Self:
        """`fit` on (X, y, sample_weight)."""
        p, (X, y, sample_weight) = self._check_parameters(), rows
        with Exclusive(self), only_settable(self._defaults()):
            given = read(X, y, p.task, p.columns, sample_weight)
            seed = None if checkpoint is None else checkpoint.seed
            seed = draw_seed(p.random_state) & _SEEDS if seed is None else seed
            found = _split(p, given, seed, validation_data)
            shared = shared_rows(found.rest, found.validation)
            made = _parameters_for(p, found, shared)
            for message in found.said:
                warn(message, UserWarning)
            members = [MLP(**made, random_state=(seed + k) & _SEEDS) for k in range(int(p.members))]
            options = Options(p.n_threads, p.callbacks, p.verbose, checkpoint)
            train(members, shared, options)
            self._publish(with_an_epoch(members), recipes.VERSION)
            vars(self)["_apart"] = found.apart
        return self

    def recipe(self, X: ArrayLike | None = None, y: ArrayLike | str | None = None) -> MLP:
        """The MLP that each member is, not fitted: its parameters are all public. Member k is what
        its `fit` makes of the rows that were not set apart, with those that were as
        validation_data and the `random_state` of ``members_[k]``, each a number after the other.

        Parameters
        ----------
        X, y : optional
            Rows that the recipe is for; default those that were fitted.

        Returns
        -------
        MLP
        """
        if X is None or y is None:
            self._model()
            first = self.members_[0].get_params()
            return MLP(**(first | {"random_state": None}))
        p = self._check_parameters()
        given = read(X, y, p.task, p.columns, None)
        found = _split(p, given, 0, None)
        return MLP(**_parameters_for(p, found, shared_rows(found.rest, found.validation)))

    predict_proba = ForClasses(Averaging.predict_proba)
    predict_log_proba = ForClasses(Averaging.predict_log_proba)

    @property
    def members_(self) -> tuple[MLP, ...]:
        self._model()
        found: tuple[MLP, ...] = vars(self)["_members"]
        return found

    def _first(self) -> MLP:
        return self.members_[0]

    def _settings_in(self, words: str) -> str:
        p, advised = (
            self._first().get_params(),
            ("learning rate", "learning_rate", "dropout", "net"),
        )
        if not any(one in words for one in (*advised, "epochs")):
            return ""
        return (
            f" Such settings are the recipe's (learning_rate={p['learning_rate']!r}, "
            f"dropout={p['dropout']!r}, hidden={p['hidden']!r}, epochs={p['epochs']!r}): "
            "recipe().set_params(...) is an MLP with others."
        )

    @property
    def history_(self) -> list[Curves]:
        return [one.history_ for one in self.members_]

    @property
    def validation_rows_(self) -> np.ndarray:
        self._model()
        for rows in vars(self).get("_apart", ()):
            found: np.ndarray = rows
            return found
        raise AttributeError(
            "validation_rows_ is of a fit that sets rows apart: it is not there with "
            "validation_data, and not in files"
        )

    @property
    def recipe_version_(self) -> int:
        self._model()
        return int(vars(self)["_recipe_version"])

    def _publish(self, members: Sequence[MLP], version: int) -> None:
        fitted = MeanModel(tuple(one._model() for one in members))
        vars(self).update(_members=tuple(members), _recipe_version=version, _fitted=fitted)

    def _check_parameters(self) -> SimpleNamespace:
        values = self._all()
        for name, check in _CHECKS.items():
            check(name, values[name])
        check_watching(values["callbacks"])
        return SimpleNamespace(**values)

    @staticmethod
    def _checked(values: Mapping[str, Any]) -> SimpleNamespace:
        return SimpleNamespace(**values)  # by `fit`, as scikit-learn's estimators do

    def _all(self) -> dict[str, Any]:
        return self.get_params()

    @classmethod
    def _model_in_files(cls) -> Codec:
        from cnn_core.files.members import TABULAR

        return TABULAR

    def _model_to_save(self, optimizer: bool) -> Any:
        pairs = [(one, one._model_to_save(optimizer)) for one in self.members_]
        return self.recipe_version_, self._model().calibration, pairs

    @classmethod
    def _loaded(cls, parameters: dict[str, Any], model: Any) -> Self:
        from cnn_core.mean import check_alike

        version, calibration, members = model
        check_alike([one._model() for one in members])
        loaded = cls(**parameters)
        loaded._publish(members, version)
        loaded._take_calibration(calibration)
        return loaded

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self.columns is not None:
            tags.input_tags.allow_nan = tags.input_tags.string = True
            tags.input_tags.categorical = True
        return tags


class Split(NamedTuple):
    """The rows of a fit."""

    rest: Given  #: to train on
    validation: tuple[Any, Any]  #: to choose the epoch by
    apart: tuple[np.ndarray, ...]  #: the numbers of those, where they are some of the rows
    draft: MLP  #: has seen all rows, untrained
    said: list[str]  #: what else y may mean


def _split(p: SimpleNamespace, given: Given, seed: int, validation_data: Any) -> Split:
    """The rows to train on and those to choose the epoch by."""
    draft = _draft(p, given)
    said = _meanings(draft, given.y)
    if validation_data is not None:
        return Split(_said(given, draft), validation_data, (), draft, said)
    labels = given.y if draft._model().task.classes is not None and given.y.ndim == 1 else None
    apart = set_apart(seed, labels, len(given.y), p.validation_fraction)
    rest, validation = given.take(~apart), given.take(apart)
    pair = SetApart((validation.X, validation.y))
    return Split(_said(rest, draft), pair, (np.flatnonzero(apart),), draft, said)


def _meanings(draft: MLP, y: np.ndarray) -> list[str]:
    """What else y may mean than the task that was told from it; members are told their task."""
    if draft.task != "auto":
        return []
    p, task = draft._check_parameters(), draft._model().task
    told = SimpleNamespace(**vars(p) | {"task": recipes.task_of(task.name == "regression")})
    by_members = set(target_warnings(y, told, task, False, None))
    found = [one for one in target_warnings(y, p, task, False, None) if one not in by_members]
    if task.classes is not None and not found:
        found += of_amounts(task.classes, y)
    return found


def _said(given: Given, draft: MLP) -> Given:
    if given.columns is None:
        return given
    return given._replace(columns=with_embeddings(given.columns, draft.columns_) or "auto")


def _draft(p: SimpleNamespace, given: Given) -> MLP:
    """An MLP with the weights that a fit would begin with: what it says of task and columns, and
    what it warns of, belongs to the fit of the members."""
    draft = MLP(task=p.task, columns=given.columns, hidden=())
    with kept_warnings():
        return draft.initialize(given.X, given.y)


def _weighs(class_weight: ClassWeight) -> bool:
    """Whether classes count unequally."""
    return class_weight is not None and (
        isinstance(class_weight, str) or set(class_weight.values()) != {1}
    )


def _parameters_for(p: SimpleNamespace, found: Split, shared: SharedRows) -> dict[str, Any]:
    """The parameters of the members for the rows to train on."""
    given = found.rest
    unequal = given.weights is not None or _weighs(p.class_weight)
    rows = recipes.Rows(
        len(given.y),
        1,  # until the rows are read, of which nothing depends on it
        found.draft._model().task.name == "regression",
        given.columns,
        p.class_weight,
        unequal and not shared.given.validates,
        float(p.validation_fraction),
        p.max_seconds,
    )
    reads = MLP(**recipes.parameters(rows))
    return recipes.parameters(rows._replace(n_in=n_inputs(shared, reads)))
