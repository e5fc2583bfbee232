"""`fit_many`: many models trained on the same data at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from cnn_core._checks import shown
from cnn_core._warn import kept_warnings
from cnn_core.blocks.source import are_blocks
from cnn_core.callbacks import check_callbacks
from cnn_core.many.net import Net
from cnn_core.many.progress import Watching, check_watching
from cnn_core.many.rounds import Rounds, hearing
from cnn_core.many.rows import Part, rows_of, rows_of_models
from cnn_core.many.shared import SharedRows, Whole
from cnn_core.many.told import Names, tell
from cnn_core.mlp import MLP
from cnn_core.parameters import check_verbose, draw_seed
from cnn_core.threads import threads_of
from cnn_core.training.fit import Given, Job

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.many.checkpoint import ManyCheckpoint

    #: A function ``(models, epoch, logs)``.
    Watcher = Callable[[list[MLP], int, dict[int, dict[str, float]]], bool | None]

Model = TypeVar("Model", bound=MLP)


def fit_many(
    models: Iterable[Model],
    X: ArrayLike,
    y: ArrayLike | str | None = None,
    rows: Iterable[Any] | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    validation_data: tuple[ArrayLike, ArrayLike] | None = None,
    callbacks: Watcher | Sequence[Watcher] = (),
    verbose: int = 0,
    n_threads: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float | str = 60.0,
) -> list[Model]:
    """Train many models on the same data at once: seeds, folds, a grid, members of an ensemble.

    Each is to the bit what its own ``fit(X[rows], y[rows])`` would make of it. They share the
    threads, and what is alike in the preparation of their rows is done once.

    Parameters
    ----------
    models : sequence of MLP, MLPClassifier or MLPRegressor
        Each another object, with any parameters; its own `callbacks`, `max_seconds` and
        `warm_start` hold, its `n_threads` and `verbose` do not.
    X, y : array-like
        As `MLP.fit` takes them, but for blocks of rows.
    rows : iterable, optional
        The rows of X, y and `sample_weight` for each model: row numbers, negative ones from the
        end, a bool for each row, a slice, or None for all. Default all for all.
    sample_weight : array-like, shape (rows,), optional
    validation_data : (X, y), optional
        For all of them.
    callbacks : function, or sequence of them, default ()
        Called as ``callback(models, epoch, logs)`` after each round, in which every model that
        still trains has done an epoch: `models` as they are then, `epoch` counted from 1, `logs` a
        dict from the number of each of these models to its entries of `history_`. True ends all.
    verbose : int, default 0
        1: the first round, the last and one a second is printed; 2: each.
    n_threads : int, optional
        The most threads; default `cnn_core.get_num_threads()`. No result depends on it.
    checkpoint : path-like, optional
        One file that keeps all that the trainings consist of. Where it exists already, they go on
        from it, to the bits of trainings that were never interrupted; where they are over, their
        models are taken. Models and data must be the same, but for `n_threads`, `verbose`,
        callbacks and `max_seconds`.
    checkpoint_every : float or str, default 60
        Seconds between two of them, or rounds, such as ``'5 epochs'``; one is written when the
        round is over in which it is due. The first one is written before the first step, the last
        one when the training ends. A later one that cannot be written is a warning, and training
        goes on.

    Returns
    -------
    list
        The models, fitted.

    Raises
    ------
    ValueError, TypeError
        For what one of the models cannot be trained with; the message begins with its number, and
        all models are as they were before.
    ModelFormatError, OSError
        For a `checkpoint` that is none, or damaged, and where the first one cannot be written.
    KeyboardInterrupt, SystemExit
        On Ctrl-C, and with a `checkpoint` on SIGTERM, within about 0.1 s. Each model is then as
        after Ctrl-C in its own fit: after it, and after an exception in a callback, that of its
        last whole epoch, or as it was before.

    Warns
    -----
    DivergenceWarning, UserWarning, RuntimeWarning
        As `MLP.fit`, once for all models that say the same, with their numbers; those of the course
        of the training come at its end.

    Examples
    --------
    >>> from cnn_core import MLP, fit_many
    >>> models = [MLP(8, epochs=5, random_state=seed) for seed in range(3)]
    >>> [model.n_epochs_ for model in fit_many(models, [[0.0], [1.0]] * 10, [0, 1] * 10)]
    [5, 5, 5]
    """
    found = _check_models(models)
    check_verbose("verbose", verbose)
    threads, watchers = threads_of(n_threads), check_watching(callbacks)
    if are_blocks(X, y):
        raise TypeError(
            "fit_many trains on rows in memory, or in a memory map, and X comes in blocks; fit "
            "such models one after the other"
        )
    data = Data((X, y, sample_weight), validation_data, rows_of_models(rows, len(found), X))
    watching = Watching(found, watchers, int(verbose))
    if checkpoint is None:
        train(found, data, threads, watching)
        return found
    from cnn_core.many.checkpoint import ManyCheckpoint, Trainings
    from cnn_core.training.signals import Signals

    with Signals() as signals:
        kept = ManyCheckpoint(Trainings(found), checkpoint, checkpoint_every, signals)
        train(found, data, threads, watching, kept)
    return found


class Data(NamedTuple):
    """What models are trained on together."""

    rows: tuple[Any, Any, Any]  #: X, y and sample_weight
    validation: tuple[Any, Any] | None
    parts: Sequence[Part | None]  #: the rows of each model
    shared: SharedRows | None = None  #: all rows, where something has been made of them already


def train(
    models: Sequence[MLP],
    data: Data,
    threads: int,
    watching: Watching,
    checkpoint: ManyCheckpoint | None = None,
) -> None:
    """As `fit_many`, of what it has checked.

    Parameters
    ----------
    models : sequence of MLP
    data : Data
    threads : int
        The most to use.
    watching : Watching
    checkpoint : ManyCheckpoint, optional
        What they go on from, and where they leave word of themselves.
    """
    names = watching.names
    with ExitStack() as stack:
        nets = [net for net in _nets(models, names) if stack.enter_context(net.exclusive)]
        if checkpoint is not None:
            checkpoint.check_count(models)
            for net in nets:
                with _of_model(names.of(net.number)):
                    net.kept = checkpoint.keep(net.model)
        _prepare(nets, data, names)
        if checkpoint is not None and checkpoint.is_finished:
            checkpoint.place.say(FINISHED, watching.verbose)
        tell([(net.number, one) for net in nets for one in net.said], len(nets), names)
        for net in nets:
            net.said.clear()
        Rounds(nets, threads, watching, checkpoint).run()
        tell([(net.number, one) for net in nets for one in net.said], len(nets), names)


#: Of a checkpoint whose trainings are all over.
FINISHED = "is of trainings that are over: their models are taken, and nothing is trained"


def _check_models(models: Iterable[Model]) -> list[Model]:
    """The models as a list of different MLPs."""
    if isinstance(models, MLP) or not isinstance(models, Iterable):
        raise TypeError(f"models must be a list of MLPs, got {shown(models)}")
    found = list(models)
    seen: dict[int, int] = {}
    for i, model in enumerate(found):
        if not isinstance(model, MLP):
            raise TypeError(
                f"models[{i}] must be an MLP, MLPClassifier or MLPRegressor of cnn_core, got "
                f"{type(model).__module__}.{type(model).__qualname__}"
            )
        if type(model).fit is not MLP.fit:
            raise TypeError(
                f"models[{i}] is of the class {type(model).__qualname__}, which has a fit of its "
                "own; call that"
            )
        first = seen.setdefault(id(model), i)
        if first != i:
            raise ValueError(
                f"models[{first}] and models[{i}] are the same object; give each training its own"
            )
    return found


def _nets(models: Sequence[MLP], names: Names) -> list[Net]:
    """What trains each model, with its parameters checked."""
    nets = []
    for number, model in enumerate(models):
        with _of_model(names.of(number)):
            p = model._check_parameters()
            nets.append(Net(number, model, p, check_callbacks(p.callbacks)))
    return nets


def _prepare(nets: Sequence[Net], data: Data, names: Names) -> None:
    """Give each net its job, the same rows at a time; nothing has changed where that fails."""
    began, whole, parts = time.perf_counter(), Whole(data.rows[0]), data.parts
    with _random_states(nets):
        starts, seeds = [], []
        for net in nets:
            with _of_model(names.of(net.number)):
                before = net.start
            # Those of a checkpoint are prepared as they were at first, with others in common.
            starts.append(before if net.p.warm_start else None)
            seeds.append(draw_seed(net.p.random_state) if before is None else before.seed)
        groups: dict[bytes | None, list[Net]] = {}
        for net in nets:
            mine = parts[net.number]
            groups.setdefault(None if mine is None else mine.key, []).append(net)
        for group in groups.values():
            mine = parts[group[0].number]
            given = Given(rows_of(mine, *data.rows), data.validation, None, "fit")
            shared = data.shared if mine is None else None
            shared = shared or SharedRows(given, whole, mine)

            def prepare(net: Net, shared: SharedRows = shared) -> None:
                def job_of(one: Net) -> Job:
                    return shared.job(one.p, starts[one.number], seeds[one.number], began)

                try:
                    with nullcontext() if net.kept is None else net.kept.compared():
                        job = job_of(net)
                except Exception as error:
                    others = [one for one in nets if one is not net]
                    alike = len(groups) == 1 and net.kept is None
                    name = names.of(net.number)
                    if alike and others and _all_raise(error, job_of, others):
                        name = ""  # a fault of the rows, and of no model
                    with _of_model(name):
                        raise
                with _of_model(names.of(net.number)):
                    net.take(job)

            hearing(group, prepare)


def _all_raise(error: Exception, job_of: Callable[[Net], Job], nets: Sequence[Net]) -> bool:
    """Whether the preparation of other nets raises an error as this one."""
    with kept_warnings():
        for net in nets:
            try:
                job_of(net)
            except Exception as other:
                if (type(other), str(other)) == (type(error), str(error)):
                    continue
            return False
    return True


@contextmanager
def _of_model(name: str) -> Iterator[None]:
    """Errors in it begin with the name of the model."""
    try:
        yield
    except Exception as error:
        if len(error.args) == 1 and isinstance(error.args[0], str):
            error.args = (f"{name}{error.args[0]}",)
        elif name:
            error.add_note(f"of {name.removesuffix(': ')}")
        raise


@contextmanager
def _random_states(nets: Sequence[Net]) -> Iterator[None]:
    """Generators that seeds are drawn from are as they were where an error comes out of it."""
    given = {id(net.p.random_state): net.p.random_state for net in nets}.values()
    kept: list[Callable[[], None]] = []
    for one in given:
        if isinstance(one, np.random.Generator):
            kept.append(_restoring(one.bit_generator))
        elif isinstance(one, np.random.RandomState):
            kept.append(_restoring(one._bit_generator))
    try:
        yield
    except BaseException:
        for restore in kept:
            restore()
        raise


def _restoring(generator: Any) -> Callable[[], None]:
    """What brings a generator back to where it is now."""
    state = generator.state
    return lambda: setattr(generator, "state", state)
