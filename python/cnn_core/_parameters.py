"""The parameters of MLP as a constructor's keywords: stored as they are given, shown, and
checked."""

import numpy as np

from cnn_core import _activations, _losses
from cnn_core._checks import check_number, is_whole
from cnn_core._names import choose
from cnn_core._plan import STEPS
from cnn_core._scaling import SCALINGS
from cnn_core.activations import Activation, get_activation
from cnn_core.callbacks import check_callbacks
from cnn_core.initializers import get_initializer
from cnn_core.losses import Huber
from cnn_core.optimizers import get_optimizer
from cnn_core.schedules import Schedule
from cnn_core.threads import check_threads


class Parameters:
    """What `MLP` knows of its parameters; scikit-learn's conventions hold (get_params, set_params,
    clone)."""

    @classmethod
    def _defaults(cls):
        code = cls.__init__.__code__
        names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
        return dict(zip(names, cls.__init__.__defaults__)) | cls.__init__.__kwdefaults__

    def get_params(self, deep=True):
        """The constructor's parameters.

        Parameters
        ----------
        deep : bool
            There for scikit-learn's sake; no parameter has parameters of its own.

        Returns
        -------
        dict
        """
        return {name: getattr(self, name) for name in self._defaults()}

    def set_params(self, **params):
        """Change parameters; the fitted model stays until the next fit.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For an unknown name or a bad value; then nothing has changed.
        """
        before = self.get_params()
        for name in params:
            choose("parameter", name, tuple(before))
        try:
            for name, value in params.items():
                setattr(self, name, value)
            self._check_parameters()
        except Exception:
            for name in params:
                setattr(self, name, before[name])
            raise
        return self

    def __repr__(self):
        defaults = self._defaults()
        changed = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if value is not defaults[name] and repr(value) != repr(defaults[name])
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def _check_parameters(self):
        """Raise for a parameter that no data could make sense of."""
        self._hidden_widths()
        for name, _ in self._hidden_activations():
            if name in STEPS:
                raise ValueError(
                    f"activation {name!r} has derivative 0, so the layers below it cannot learn; it "
                    f"trains only as the output of a single layer: hidden=(), output={name!r}"
                )
        choose("task", self.task, ("auto", "classification", "regression"))
        if not isinstance(self.output, Activation):
            choose("output", self.output, ("auto", *_activations.names()))
        if not isinstance(self.loss, Huber):
            choose("loss", self.loss, ("auto", *_losses.names()))
        optimizer = get_optimizer(self.optimizer)
        if self.learning_rate is not None and not isinstance(self.learning_rate, Schedule):
            check_number("learning_rate", self.learning_rate, 0, None, above=True)
        self._check_count("batch_size", "full")
        if optimizer.full_batch and self.batch_size not in ("full", 32):
            raise ValueError(
                f"{type(optimizer).__name__} works on the whole training set; batch_size must be 'full', "
                f"got {self.batch_size!r}"
            )
        for name in ("l1", "l2"):
            check_number(name, getattr(self, name), 0)
        for name in ("max_norm", "clip_norm"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), 0, None, above=True)
        check_number("label_smoothing", self.label_smoothing, 0, 1)
        if isinstance(self.class_weight, str):
            if self.class_weight != "balanced":
                raise ValueError(
                    f"class_weight must be a dict, 'balanced' or None, got {self.class_weight!r}"
                )
        elif self.class_weight is not None:
            if not hasattr(self.class_weight, "items"):
                raise TypeError(
                    f"class_weight must be a dict, 'balanced' or None, got {self.class_weight!r}"
                )
            for label, weight in self.class_weight.items():
                check_number(f"class_weight of {label!r}", weight, 0)
        self._check_count("epochs")
        self._check_count("patience")
        check_number("min_delta", self.min_delta, 0)
        check_number("validation_fraction", self.validation_fraction, 0, 1, above=True)
        for name in ("shuffle", "early_stopping", "restore_best", "warm_start"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}")
        if isinstance(self.init, str):
            get_initializer(self.init)
        if self.scale_inputs is not None:
            choose("scale_inputs", self.scale_inputs, tuple(SCALINGS))
        check_callbacks(self.callbacks)
        if self.n_threads is not None:
            check_threads(self.n_threads)
        choose("backend", self.backend, ("native", "python"))
        rates = self._dropout_rates()
        if get_optimizer(self.optimizer).name == "lbfgs":
            for name, given in (
                ("dropout", any(rates)),
                ("max_norm", self.max_norm),
                ("clip_norm", self.clip_norm),
            ):
                if given:
                    raise ValueError(
                        f"LBFGS minimises one fixed function of the weights; it does not go with {name}"
                    )
        try:
            known = self.dtype is not None and np.dtype(self.dtype) in (np.float32, np.float64)
        except TypeError:
            known = False
        if not known:
            raise ValueError(f"dtype must be 'float32' or 'float64', got {self.dtype!r}")
        state = self.random_state
        if not (
            state is None
            or isinstance(state, (np.random.Generator, np.random.RandomState))
            or is_whole(state)
        ):
            raise TypeError(
                f"random_state must be an int, a numpy Generator or RandomState, or None; got {state!r}"
            )
        if is_whole(state) and state < 0:
            raise ValueError(f"random_state must not be negative, got {state}")
        if not (isinstance(self.verbose, bool) or is_whole(self.verbose)) or self.verbose < 0:
            raise ValueError(f"verbose must be 0, 1, False or True, got {self.verbose!r}")
        tiny = float(np.finfo(self.dtype).tiny)
        if optimizer.settings().get("epsilon", 1) < tiny:
            raise ValueError(
                f"{type(optimizer).__name__}: epsilon must be at least {tiny:.3g} in {self.dtype}, got "
                f"{optimizer.epsilon!r}"
            )

    def _check_count(self, name, word=None):
        value = getattr(self, name)
        choices = f"a whole number of at least 1{f' or {word!r}' if word else ''}"
        if word is not None and isinstance(value, str) and value == word:
            return
        if not is_whole(value):
            raise TypeError(f"{name} must be {choices}, got {value!r}")
        if value < 1:
            raise ValueError(f"{name} must be {choices}, got {value}")

    def _hidden_widths(self):
        given = self.hidden
        widths = (given,) if is_whole(given) else given
        if not isinstance(widths, (tuple, list, range, np.ndarray)) or not all(
            is_whole(width) for width in widths
        ):
            raise TypeError(f"hidden must be a whole number or a sequence of them, got {given!r}")
        if any(width < 1 for width in widths):
            raise ValueError(f"hidden layers need at least one neuron each, got {given!r}")
        return tuple(int(width) for width in widths)

    def _hidden_activations(self):
        """(name, alpha) of each hidden layer."""
        n = len(self._hidden_widths())
        if isinstance(self.activation, (str, Activation)):
            return (get_activation(self.activation),) * n
        given = self.activation
        if not isinstance(given, (tuple, list)):
            raise TypeError(f"activation must be a name or a list of names, got {given!r}")
        if len(given) != n:
            raise ValueError(
                f"activation must be one name or one for each of the {n} hidden layers, got {len(given)}"
            )
        return tuple(get_activation(one) for one in given)

    def _output(self):
        """The output activation that is meant: without hidden layers `activation` has no other
        use."""
        alone = (
            not self._hidden_widths()
            and isinstance(self.activation, str)
            and self.activation in STEPS
        )
        return (
            self.activation
            if alone and isinstance(self.output, str) and self.output == "auto"
            else self.output
        )

    def _dropout_rates(self):
        """The share of its inputs that each layer leaves out in training."""
        n = len(self._hidden_widths())
        given = self.dropout
        if isinstance(given, (tuple, list, np.ndarray)):
            if len(given) != n + 1:
                raise ValueError(
                    f"dropout must be one number for the hidden layers, or one for the inputs and one for "
                    f"each of the {n} hidden layers; got {len(given)}"
                )
            for i, rate in enumerate(given):
                check_number(f"dropout of {f'hidden layer {i}' if i else 'the inputs'}", rate, 0, 1)
            return tuple(float(rate) for rate in given)
        check_number("dropout", given, 0, 1)
        return (0.0,) + (float(given),) * n

    def _seed(self):
        """64 bits for the counter-based generator."""
        state = self.random_state
        if isinstance(state, np.random.Generator):
            return int(state.integers(1 << 64, dtype=np.uint64))
        if isinstance(state, np.random.RandomState):
            return int.from_bytes(state.bytes(8), "little")
        return int(
            np.random.SeedSequence(None if state is None else int(state)).generate_state(
                1, np.uint64
            )[0]
        )
