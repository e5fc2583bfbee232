"""Scalings of inputs and targets as scikit-learn's transformers, and these as ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._few import counted
from cnn_core.data.scaling import Scaling
from cnn_core.data.target_scaling import TargetScaling

if TYPE_CHECKING:
    from cnn_core.model import Model

_KNOWN = "StandardScaler, MinMaxScaler, RobustScaler and MaxAbsScaler"

#: The `scale_inputs` that learns what is nearest to a scaler that it has no name for.
_NEAREST = {"maxabs": "minmax", "other range": "minmax"}

#: Named steps of a Pipeline.
Steps = list[tuple[str, Any]]


def input_steps(model: Model) -> Steps:
    """Fitted transformers that scale as the model does: none where it reads X itself."""
    scaling = model.scaling
    if scaling is None or not scaling.scales:
        return []
    rows = max(1, int(model.seen.rows))
    # 3 sin(atan(t / 3)) is t / sqrt(1 + (t / 3)^2): NumPy's functions can be pickled for
    # programs without cnn_core.
    wider = 3.0 if scaling.curve == "smooth clip" else 1.0
    steps: Steps = [_linear(scaling.kind, scaling.shift, scaling.factor / wider, rows)]
    if scaling.curve == "asinh":
        steps.append(("asinh", _function(np.arcsinh, np.sinh)))
    elif scaling.curve == "smooth clip":
        from sklearn.preprocessing import MaxAbsScaler

        third = np.full(len(scaling.shift), 1 / wider)
        last = _with(MaxAbsScaler(), scale_=third, max_abs_=third.copy(), n_samples_seen_=rows)
        steps += [("atan", _function(np.arctan, np.tan)), ("sin", _function(np.sin, np.arcsin))]
        steps.append(("times3", last))
    for _, step in steps:
        step.n_features_in_ = len(scaling.shift)
    return steps


def _linear(kind: str, shift: np.ndarray, factor: np.ndarray, rows: int) -> tuple[str, Any]:
    """The scaler for (x - shift) * factor."""
    from sklearn.preprocessing import MinMaxScaler, RobustScaler

    spread = 1 / factor
    if kind == "minmax":
        return "minmax", _with(
            MinMaxScaler(),
            min_=-shift * factor,
            scale_=factor.copy(),
            data_min_=shift.copy(),
            data_max_=shift + spread,
            data_range_=spread,
            n_samples_seen_=rows,
        )
    if kind.startswith("robust"):
        return "robust", _with(RobustScaler(), center_=shift.copy(), scale_=spread)
    return "standard", _standard(shift, spread, rows)


def _standard(mean: np.ndarray, deviation: np.ndarray, rows: int) -> Any:
    from sklearn.preprocessing import StandardScaler

    return _with(
        StandardScaler(),
        mean_=mean.copy(),
        scale_=deviation.copy(),
        var_=deviation**2,
        n_samples_seen_=rows,
        n_features_in_=len(mean),
    )


def _function(function: Any, inverse: Any) -> Any:
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer(
        function, inverse, check_inverse=False, feature_names_out="one-to-one"
    )


def _with(transformer: Any, **attributes: Any) -> Any:
    """A transformer with the attributes of a fit."""
    for name, value in attributes.items():
        setattr(transformer, name, value)
    return transformer


def target_transformer(scaling: TargetScaling, rows: int) -> Any:
    """The fitted transformer of targets whose inverse makes predictions of a network's outputs."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    scaler = _standard(scaling.shift, scaling.factor, max(1, rows))
    if not scaling.clips:
        return scaler
    clip = FunctionTransformer(
        inverse_func=np.clip,
        inv_kw_args={"a_min": scaling.low.copy(), "a_max": scaling.high.copy()},
        check_inverse=False,
    )
    clip.n_features_in_ = len(scaling.shift)
    return Pipeline([("clip", clip), ("standard", scaler)])


def scaling_of(steps: Sequence[tuple[str, Any]], n_features: int) -> tuple[Scaling | None, Any]:
    """The `Scaling` that transformers one after the other amount to, and the `scale_inputs` that
    learns such a one anew.

    Raises
    ------
    ValueError, TypeError
        For a transformer that no scaling equals.
    """
    chain = _Chain(n_features)
    for name, step in steps:
        chain.add(name, step)
    return chain.scaling()


class _Chain:
    """(x - shift) * factor, and functions after it, of the steps so far."""

    def __init__(self, n_features: int) -> None:
        self.shift, self.factor = np.zeros(n_features), np.ones(n_features)
        self.kinds: list[str] = []
        self.functions: list[Any] = []

    def add(self, name: str, step: Any) -> None:
        """One step more."""
        if step is None or (isinstance(step, str) and step == "passthrough"):
            return
        function = _function_of(name, step)
        if function is not None:
            self.functions += [] if function == "identity" else [function]
            return
        kind, shift, factor = _linear_of(name, step, len(self.shift))
        if self.functions:  # only the last step of what `input_steps` makes of 'robust_clip'
            if self.functions != [np.arctan, np.sin] or not np.allclose(factor, 3, rtol=1e-12):
                raise _foreign(name, step)
            self.functions.append("times 3")
            self.factor = self.factor * factor
            return
        self.shift = self.shift + shift / self.factor
        self.factor = self.factor * factor
        self.kinds.append(kind)

    def scaling(self) -> tuple[Scaling | None, Any]:
        """What all steps amount to, and the name of the kind that is nearest."""
        kind, asked = "", None
        if self.kinds:
            asked = _NEAREST.get(self.kinds[-1], self.kinds[-1])
            kind = asked if self.kinds in (["standard"], ["minmax"], ["robust"]) else ""
        if self.functions == [np.arcsinh]:
            kind = asked = "robust_asinh"
        elif self.functions == [np.arctan, np.sin, "times 3"]:
            kind = asked = "robust_clip"
        elif self.functions:
            raise ValueError(
                "the functions of the Pipeline's FunctionTransformers are none that MLP scales with"
            )
        shift, factor = self.shift, self.factor
        if not (np.isfinite(shift).all() and np.isfinite(factor).all() and (factor > 0).all()):
            raise ValueError("the scalers of the Pipeline have entries that are not finite, or 0")
        return (None if asked is None else Scaling(shift, factor, kind)), asked


def _foreign(name: str, step: Any) -> TypeError:
    return TypeError(
        f"the step {name!r} of the Pipeline is a {type(step).__name__}, which no scaling of MLP "
        f"equals; {_KNOWN} before the net become its own scaling, and "
        "MLP.from_sklearn(pipeline[-1]) takes the net alone"
    )


def _function_of(name: str, step: Any) -> Any:
    """The function of a FunctionTransformer that scales, or 'identity'; None for others."""
    from sklearn.preprocessing import FunctionTransformer

    if not isinstance(step, FunctionTransformer):
        return None
    if step.func not in (None, np.arcsinh, np.arctan, np.sin) or step.kw_args:
        raise _foreign(name, step)
    return "identity" if step.func is None else step.func


def _linear_of(name: str, step: Any, n: int) -> tuple[str, np.ndarray, np.ndarray]:
    """What kind of scaler a fitted transformer is, and its shift and factor."""
    from sklearn import preprocessing as sk

    def numbers(attribute: str, default: float) -> np.ndarray:
        value = getattr(step, attribute, None)
        return np.full(n, default) if value is None else np.asarray(value, np.float64)

    shift = np.zeros(n)
    if isinstance(step, sk.StandardScaler):
        kind = "standard"
        if step.with_mean:  # it is learned at any rate
            shift = numbers("mean_", 0.0)
    elif isinstance(step, sk.RobustScaler):
        kind, shift = "robust", numbers("center_", 0.0)
    elif isinstance(step, sk.MaxAbsScaler):
        kind = "maxabs"
    elif isinstance(step, sk.MinMaxScaler):
        if step.clip:
            raise ValueError(
                f"the step {name!r} is a MinMaxScaler(clip=True), which cuts off what lies outside "
                "the range of training; no scaling of MLP does"
            )
        low, high = step.feature_range
        kind = "minmax" if (low, high) == (0, 1) else "other range"
        shift = numbers("data_min_", 0.0) - low / numbers("scale_", 1.0)
    else:
        raise _foreign(name, step)
    scale = numbers("scale_", 1.0)
    if shift.shape != (n,) or scale.shape != (n,):
        raise ValueError(
            f"the step {name!r} of the Pipeline scales {counted(scale.size, 'feature')}, and the "
            f"net reads {n}"
        )
    return kind, shift, scale if isinstance(step, sk.MinMaxScaler) else 1 / scale


def target_scaling_of(transformer: Any, n_outputs: int) -> TargetScaling:
    """The `TargetScaling` of a fitted transformer of targets.

    Raises
    ------
    TypeError
        For one that is not linear, as no `scale_targets` equals it.
    """
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    low, high = np.full(n_outputs, -np.inf), np.full(n_outputs, np.inf)
    steps = transformer.steps if isinstance(transformer, Pipeline) else [("", transformer)]
    if len(steps) > 1:
        clip = steps[0][1]
        limits = getattr(clip, "inv_kw_args", None) or {}
        clips = isinstance(clip, FunctionTransformer) and clip.inverse_func is np.clip
        if len(steps) > 2 or not clips or set(limits) != {"a_min", "a_max"}:
            raise _foreign_target(transformer)
        low, high = (
            np.broadcast_to(np.asarray(limits[key], np.float64), n_outputs).copy()
            for key in ("a_min", "a_max")
        )
    name, step = steps[-1]
    shift, factor = np.zeros(n_outputs), np.ones(n_outputs)
    try:
        function = _function_of(name, step)
        if function is None:
            _, shift, factor = _linear_of(name, step, n_outputs)
    except TypeError:
        raise _foreign_target(transformer) from None
    if function is not None and (step.func, step.inverse_func) != (None, None):
        raise _foreign_target(transformer)
    return TargetScaling(1 / factor, shift, low, high)


def _foreign_target(transformer: Any) -> TypeError:
    words = " ".join(repr(transformer).split())  # scikit-learn breaks long ones into lines
    return TypeError(
        f"the targets are transformed by {words}, which no scale_targets of MLP equals; "
        f"{_KNOWN} are linear and become one"
    )
