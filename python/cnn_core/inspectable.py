"""Methods of MLP that show costs, gradients and layers of a fitted model."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Never

from cnn_core._checks import check_number
from cnn_core._names import refuse, without_unknown
from cnn_core.answers import warn_of_single_row
from cnn_core.fitted import Fitted, numbers_for
from cnn_core.losses import check_slopes
from cnn_core.threads import threads_of
from cnn_core.training.backends import BACKENDS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core._typing import Evaluation, Reals
    from cnn_core.inspection import GradientCheck, Place, Summary, Trace
    from cnn_core.profile import Profile

#: Rows that `evaluate` computes in one piece.
EVALUATED_TOGETHER = 480


class Inspectable(Fitted):
    """The methods of `MLP` that judge and inspect a fitted model, or its training."""

    backend: str
    n_threads: int | None
    l1: float
    l2: float
    bias: bool
    init: Any
    scale_inputs: Any
    scale_targets: Any
    class_weight: Any
    _check_parameters: Callable[[], SimpleNamespace]

    def _threads(self) -> dict[str, Any]:
        """How many threads a trainer may use."""
        n_threads = self.n_threads
        return {"threads": threads_of(n_threads), "adaptive": n_threads is None}

    def decision_function(self, X: ArrayLike) -> Reals:
        """The output layer's z, before its activation: what scikit-learn's scorers rank rows by,
        also where outputs are no probabilities, as with the loss 'hinge'.

        Parameters
        ----------
        X : array-like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows,) or (rows, n_outputs)
            For two classes a number a row, larger for the second of `classes_`: z of the only
            output, or of two outputs the difference.

        Raises
        ------
        ValueError
            For regression.
        """
        return self._model().decision_function(X, self.backend, self.n_threads)

    def loss_and_gradient(
        self, X: ArrayLike, y: ArrayLike, *, parameters: ArrayLike | None = None
    ) -> tuple[float, Reals]:
        """The cost of some rows and its gradient, with the penalties l1 and l2, without dropout.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs)
        parameters : array-like, shape (n_parameters,), optional
            Where to compute them, in the order of `parameters_`; default there.

        Returns
        -------
        loss : float
        gradient : ndarray, shape (n_parameters,)
            In the order of `parameters_`.
        """
        model, backend = self._model(), BACKENDS[self.backend]
        data = model.dataset(X, y)
        spec = model.training_spec.without_steps(data.X.count, float(self.l1), float(self.l2))
        trainer = backend.trainer(spec, model.network.copy(), **self._threads())
        if parameters is not None:
            trainer.set_flat(numbers_for(model, "parameters", parameters))
        loss, _ = trainer.loss_and_gradient(data.X, data.y, data.labels)
        return loss, trainer.flat_gradient()

    def hessian_vector_product(
        self,
        X: ArrayLike,
        y: ArrayLike,
        v: ArrayLike,
        *,
        parameters: ArrayLike | None = None,
    ) -> Reals:
        """The curvature of the cost of some rows along a direction: H v, where H has its second
        derivatives by all parameters, without dropout.

        It is exact, and H itself is never formed: one forward and one backward pass compute the
        derivatives of all they compute along v as well (Pearlmutter 1994, Fast exact multiplication
        by the Hessian), in about three times the time of `loss_and_gradient`. ``v @ H v`` is the
        second derivative of the cost along v.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs)
        v : array-like, shape (n_parameters,)
            In the order of `parameters_`.
        parameters : array-like, shape (n_parameters,), optional
            Where to compute it; default at `parameters_`.

        Returns
        -------
        ndarray, shape (n_parameters,)
            In the order of `parameters_`. l2 v is part of it for weights; l1 adds nothing, as it
            bends nowhere but at 0. relu, leaky_relu, step, sign and hard_sigmoid have f'' = 0, mae
            and hinge no curvature of their own: their corners, which single points are, do not
            count.
        """
        model, backend = self._model(), BACKENDS[self.backend]
        direction, network = numbers_for(model, "v", v), model.network.copy()
        n = len(network.flat())
        if direction.shape != (n,):
            raise ValueError(
                f"v must have a number for each of the {n} parameters, shape ({n},), got an array "
                f"of shape {direction.shape}"
            )
        if parameters is not None:
            network.set_flat(numbers_for(model, "parameters", parameters))
        data = model.dataset(X, y)
        spec = model.training_spec.without_steps(data.X.count, float(self.l1), float(self.l2))
        return backend.hessian_vector_product(network, spec, direction, data, **self._threads())

    def per_sample_gradients(self, X: ArrayLike, y: ArrayLike) -> Reals:
        """The gradient of each row's cost, as `loss_and_gradient` of the row alone gives it, to the
        bit; their mean is the gradient of all rows.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs)

        Returns
        -------
        ndarray, shape (rows, n_parameters)
            In the order of `parameters_`.

        Raises
        ------
        MemoryError
            Where they take more memory than there is; nothing is computed then.
        """
        from cnn_core import inspection

        model, backend = self._model(), BACKENDS[self.backend]
        spec = model.training_spec.without_steps(1, float(self.l1), float(self.l2))
        return inspection.per_sample_gradients(model.network, spec, model.dataset(X, y), backend)

    def where(self, index: int) -> Place:
        """Which parameter stands at an index of `parameters_` and of a gradient.

        Parameters
        ----------
        index : int

        Returns
        -------
        Place
            layer ('hidden 1', ..., 'output', or 'embedding 1', ... in the order of `embeddings_`
            and 'periodic 1', ... in that of `numeric_embeddings_`); parameter, 'W' or 'b', 'E' of
            an embedding, 'w', 'c', 'V' or 'd' of a periodic one; index in it.
        """
        from cnn_core import inspection

        return inspection.place_of(self._model().network, index)

    def index_of(self, layer: str, parameter: str, index: int | tuple[int, ...]) -> int:
        """At which index of `parameters_`, and of a gradient, a parameter stands: the reverse of
        `where`.

        Parameters
        ----------
        layer : str
            'hidden 1', ..., 'output', or 'embedding 1', ... in the order of `embeddings_`, or
            'periodic 1', ... in that of `numeric_embeddings_`.
        parameter : {'W', 'b', 'E', 'w', 'c', 'V', 'd'}
        index : int or tuple of int
            (j, k) for the weight to neuron j from neuron k, (j,) or j for its bias; (c, j) for
            number j of category c; (j, k) for V of number j and frequency k.

        Returns
        -------
        int
        """
        from cnn_core import inspection

        at = index if isinstance(index, tuple) else (index,)
        place = inspection.Place(layer, parameter, at)
        return inspection.position_of(self._model().network, place)

    def check_gradient(self, X: ArrayLike, y: ArrayLike, *, h: float = 1e-6) -> GradientCheck:
        """Compare backpropagation with central differences, in float64, one parameter after the
        other.

        Parameters
        ----------
        X : array-like, shape (rows, features)
            A few rows will do.
        y : array-like, shape (rows,) or (rows, outputs)
        h : float, default 1e-6
            Step to either side.

        Returns
        -------
        GradientCheck
            The parameter where they differ most: error, relative above 1 and absolute below; layer;
            'W', 'b' or 'E'; index; both values.
        """
        from cnn_core import inspection  # not needed by those who train and predict

        check_number("h", h, 0, above=True)
        model, backend = self._model(), BACKENDS[self.backend]
        data = model.dataset(X, y)
        spec = model.training_spec.without_steps(data.X.count, float(self.l1), float(self.l2))
        check_slopes(spec.loss, spec.loss_param, "check_gradient")
        return inspection.check_gradient(model.network, spec, data, h, backend)

    def trace(self, X: ArrayLike, y: ArrayLike) -> Trace:
        """Everything that one forward and one backward pass compute.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs)

        Returns
        -------
        Trace
            ``loss``, ``layers`` and ``dx``, dC/dx for the unscaled X; each layer has ``name``,
            ``activation``, ``z``, ``a``, ``delta`` (dC/dz), ``dW``, ``db`` and ``da`` (dC/da), and
            can be had by its name: ``trace['hidden 1'].dW``. C is the mean over the rows, without
            penalties. It shows itself as a table of ranges, with dead and saturated units.
        """
        from cnn_core import inspection

        model, backend = self._model(), BACKENDS[self.backend]
        return inspection.trace(model, model.dataset(X, y), backend)

    def summary(self, X: ArrayLike | None = None) -> Summary:
        """Layers, shapes, parameters and memory of the fitted network, why its training ended, and
        what its learning curves suggest.

        Parameters
        ----------
        X : array-like, shape (rows, features), optional
            Rows, best those of training, for which to count the hidden units that are always 0.

        Returns
        -------
        Summary
            A text, which an interactive session shows and `print` prints.
        """
        from cnn_core import inspection

        model = self._model()
        return inspection.summary(model, None if X is None else model.check_X(X))

    def profile(
        self, X: ArrayLike, y: ArrayLike, *, seconds: float = 1.0, plot: Any = None
    ) -> Profile:
        """Where the time of training on these rows goes, layer by layer and phase by phase, against
        what the machine can do and against NumPy and plain Python.

        Trains copies with the parameters of this model, which may be unfitted, and leaves the model
        as it is. Schedules, callbacks and validation are left out: they are no part of an epoch's
        work.

        Parameters
        ----------
        X, y
            As for `fit`.
        seconds : float, default 1
            About how long to measure the native core and NumPy in turn; the reference
            implementation takes as much again, or twice that. Where a few epochs take longer, so
            does this.
        plot : path-like, optional
            A file for a bar chart, such as ``'profile.png'``; needs matplotlib (``pip install
            matplotlib``).

        Returns
        -------
        Profile
            A dict that prints as a table: ``machine``, ``training``, ``phases``, ``totals``,
            ``rounds``. Its ``plot(file)`` draws the chart.

        Raises
        ------
        ValueError, TypeError
            For input that cannot be trained on, for the optimizer lbfgs, which has no mini-batches,
            and for ``backend='python'``.
        ImportError
            For `plot` without matplotlib.
        """
        from cnn_core import profile
        from cnn_core.training import fit

        p = self._check_parameters()
        profile.check(p, seconds, plot)
        p.random_state = 0  # a seed of its own: that of a NumPy generator would be drawn from it
        job = fit.begin(p, X, y, self._fitted if p.warm_start else None)
        work = profile.Workload(
            job.spec, job.model.network, job.train, bool(p.shuffle), p.n_threads
        )
        found = profile.measure(work, float(seconds))
        if plot is not None:
            found.plot(plot)
        return found

    @without_unknown
    def evaluate(self, X: ArrayLike, y: ArrayLike, **unknown: Never) -> Evaluation:
        """Loss and metric on some rows, and what they suggest beside the training loss.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs)

        Returns
        -------
        dict
            ``loss``, without penalties; ``accuracy`` or ``r2``, of several outputs also a list,
            ``accuracy_per_label`` or ``r2_per_output`` (of a single quantile other than the median
            ``d2_pinball`` and ``d2_pinball_per_output``, see `score`); ``diagnosis``, the
            likely cause where the model is not good, and what the numbers suggest about over- or
            underfitting.
            Where a class is rare (below a tenth of the rows) or `class_weight` is given, also
            ``balanced_accuracy``, and ``average_precision`` of the rarer of two classes, or the
            mean over more.
        """
        if unknown:
            refuse(Inspectable.evaluate, self, unknown)
        from cnn_core.data.targets import check_targets
        from cnn_core.evaluation import Settings, evaluation
        from cnn_core.task import r2_of_outputs
        from cnn_core.training.fit import scaling_meant

        scale_targets = scaling_meant(self.scale_targets, self.init, bool(self.bias))
        model, backend = self._model(), BACKENDS[self.backend]
        X, y = model.split(X, y)
        data, task = model.dataset(X, y), model.task
        spec = model.training_spec.without_steps(min(data.X.count, EVALUATED_TOGETHER))
        trainer = backend.trainer(spec, model.network, **self._threads())
        loss, measured = trainer.evaluate(data.X, data.y, data.labels)
        regression = task.name == "regression"
        if regression:
            warn_of_single_row(data.X.count, task.judged_quantile)
        of_outputs: list[float] = []
        if not regression:
            metric = float(measured)
        else:
            total = data.total_sum_of_squares()
            scores, targets = r2_of_outputs(measured, total), model.target_scaling
            clips = targets is not None and targets.clips
            if (total == 0).any() or clips or task.judged_quantile is not None:
                scores = model.scores_of_outputs(X, y, None, self.backend, self.n_threads)
            metric, of_outputs = float(scores.mean()), scores.tolist()
        threads = self._threads()["threads"]
        return evaluation(
            model,
            data,
            (loss, metric, of_outputs),
            lambda: model.predictors[self.backend].outputs(data.X.rows(), threads),
            backend,
            Settings(
                self.class_weight is not None,
                self.scale_inputs,
                scale_targets,
                self.task != "auto",
            ),
            lambda: model.unscaled(X),
            lambda: check_targets(y, "float64"),
        )
