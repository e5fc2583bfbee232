"""A torch.nn.Sequential of Linear and activations as a fitted `MLP`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._checks import shown
from cnn_core.activations import Activation
from cnn_core.data.scaling import Scaling
from cnn_core.data.target_scaling import TargetScaling
from cnn_core.data.targets import encode_labels
from cnn_core.interchange.fitted import fitted
from cnn_core.interchange.torch_names import activation_of, torch_or_raise

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: Parameters of MLP that the modules say.
_OF_MODULES = ("hidden", "activation", "bias", "init", "dropout", "alpha_dropout", "dtype")
_OF_INPUTS = ("scale_inputs", "scale_targets", "clip_outputs", "columns", "numeric_embedding")


class Asked(NamedTuple):
    """What the caller says of the outputs."""

    task: str
    classes: ArrayLike | None
    output: Any


class Layer:
    """What one Linear and the modules after it say."""

    def __init__(self, W: np.ndarray, b: np.ndarray | None, where: str) -> None:
        self.W, self.b, self.where = W, b, where
        self.activation: Any = None  #: None: there is none, which is identity
        self.dropout, self.alpha_dropout = 0.0, False
        self.dropout_first = ""  #: where a Dropout stands before the activation


class Read:
    """The modules of a Sequential, one after the other."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.input_dropout = 0.0
        self.inputs: Any = None
        self.targets: Any = None

    def add(self, module: Any, where: str) -> None:
        """One module more."""
        name = type(module).__name__
        if self.targets is not None:
            raise ValueError(f"{where} is a {name} after ScaledTargets, which is the end of a net")
        if name in ("ScaledInputs", "ScaledTargets"):
            self._scaling(module, where, name)
        elif name == "Linear":
            self.layers.append(_layer(module, where))
        elif name == "Identity":
            pass
        elif name == "Flatten":
            if self.layers or module.start_dim != 1 or module.end_dim != -1:
                raise ValueError(f"{where} is a Flatten; it stands at the beginning alone")
        elif name in ("Dropout", "AlphaDropout"):
            self._dropout(module, where, name)
        else:
            self._activation(activation_of(module, where), where, name)

    def _scaling(self, module: Any, where: str, name: str) -> None:
        if name == "ScaledTargets":
            self.targets = module
        elif self.layers or self.inputs is not None or self.input_dropout:
            raise ValueError(f"{where} is ScaledInputs, which stands at the beginning alone")
        else:
            self.inputs = module

    def _activation(self, activation: Any, where: str, name: str) -> None:
        if not self.layers:
            raise ValueError(f"{where} is a {name} before the first Linear; MLP has no such layer")
        layer = self.layers[-1]
        if layer.activation is not None:
            raise ValueError(
                f"{where} is a {name} behind another activation; MLP has one for each layer"
            )
        if layer.dropout_first and not (activation == "relu" or _is_leaky(activation)):
            raise ValueError(
                f"{layer.dropout_first} is a Dropout before {name}; MLP drops out what comes out "
                "of an activation, so put it behind that"
            )
        layer.activation = activation

    def _dropout(self, module: Any, where: str, name: str) -> None:
        rate = float(module.p)
        if not rate < 1:
            raise ValueError(f"{where} is a {name}(p={rate:g}); a rate of dropout is below 1")
        if not self.layers:
            if name == "AlphaDropout" and rate:
                raise ValueError(f"{where} is an AlphaDropout of the inputs, which MLP has not")
            self.input_dropout = _both(self.input_dropout, rate)
            return
        layer = self.layers[-1]
        if name == "AlphaDropout" and rate:
            if layer.activation != "selu" or layer.dropout:
                raise ValueError(f"{where} is an AlphaDropout; it is for outputs of SELU alone")
            layer.alpha_dropout = True
        elif rate and layer.alpha_dropout:
            raise ValueError(f"{where} is a Dropout behind an AlphaDropout; MLP has one of them")
        layer.dropout = _both(layer.dropout, rate)
        if layer.activation is None and rate:
            layer.dropout_first = where


def _both(first: float, second: float) -> float:
    """The rate of two dropouts one after the other: what stays is what both keep."""
    return 1 - (1 - first) * (1 - second) if first and second else first or second


def _is_leaky(activation: Any) -> bool:
    """Whether scaling z up scales f(z) up."""
    return isinstance(activation, Activation) and activation.name == "leaky_relu"


def _layer(module: Any, where: str) -> Layer:
    parts = [module.weight, module.bias]
    arrays = [None if part is None else _array(part, where) for part in parts]
    assert arrays[0] is not None
    return Layer(arrays[0], arrays[1], where)


def _array(tensor: Any, where: str) -> np.ndarray:
    """A copy of a parameter, in float32 or float64."""
    torch = torch_or_raise("from_torch")
    if tensor.device.type == "meta":
        raise ValueError(f"{where} is on the device 'meta': it has shapes, but no weights")
    if not tensor.is_floating_point():
        raise TypeError(f"{where} has weights of {tensor.dtype}; they must be floats")
    if tensor.dtype != torch.float64:
        tensor = tensor.float()
    array: np.ndarray = tensor.detach().cpu().numpy().copy()
    return array


def _modules(module: Any, where: str) -> Iterator[tuple[Any, str]]:
    """The modules within nested Sequentials, and where each stands."""
    if module._forward_hooks or module._forward_pre_hooks:
        raise ValueError(
            f"{where} has forward hooks, such as those of weight_norm, which change what it "
            "computes; remove them, or give a Sequential without"
        )
    if type(module).__name__ != "Sequential":
        yield module, where
        return
    # named_children has a module once that stands at several places.
    for name, one in module._modules.items():
        yield from _modules(one, f"{where}[{name}]" if name.isdigit() else f"{where}.{name}")


def from_torch(kind: Any, sequential: Any, asked: Asked, parameters: Mapping[str, Any]) -> Any:
    """See `MLP.from_torch`; `kind` is the class to make."""
    torch = torch_or_raise("from_torch")
    if not isinstance(sequential, (torch.nn.Sequential, torch.nn.Linear)):
        what = (
            f"a module of the class {type(sequential).__name__}, of which nobody but its forward "
            "knows the order; give the Sequential in it"
            if isinstance(sequential, torch.nn.Module)
            else f"a {type(sequential).__name__}"
        )
        raise TypeError(f"MLP.from_torch takes a torch.nn.Sequential, got {what}")
    for name in parameters:
        if name in _OF_MODULES or name in _OF_INPUTS:
            which = "which the modules say" if name in _OF_MODULES else "as X is what they read"
            raise TypeError(f"MLP.from_torch takes no {name}, {which}")
    read = Read()
    for module, where in _modules(sequential, "sequential"):
        read.add(module, where)
    if not read.layers:
        raise ValueError(f"there is no Linear in {shown(sequential)}")
    return _made(kind, read, asked, parameters)


def _made(kind: Any, read: Read, asked: Asked, parameters: Mapping[str, Any]) -> Any:
    """The estimator of what has been read."""
    *hidden, last = read.layers
    for layer in hidden:
        if layer.activation == "log_softmax":
            raise ValueError(
                f"a LogSoftmax follows {layer.where}, which is a hidden layer; it is for the end"
            )
    if last.dropout:
        raise ValueError(f"a Dropout follows {last.where}, the last layer; MLP drops no outputs")
    task, output, classes, layers = _outputs(kind, read, asked)
    single = all(W.dtype == np.float32 for W, _ in layers)
    given: dict[str, Any] = {
        "hidden": tuple(len(layer.W) for layer in hidden),
        "activation": tuple(layer.activation or "identity" for layer in hidden) or "relu",
        "output": output,
        "dtype": "float32" if single else "float64",
        "scale_inputs": None,
        "scale_targets": None,
        **_biases(layers, parameters),
        **_rates(read),
    }
    if len(set(map(repr, given["activation"]))) == 1 and hidden:
        given["activation"] = given["activation"][0]
    if "task" in kind._defaults():
        given["task"] = task
    of_model: dict[str, Any] = {}
    if read.inputs is not None:
        of_model["scaling"], given["scale_inputs"] = _inputs(read.inputs)
    if read.targets is not None:
        targets = of_model["target_scaling"] = _targets(read.targets)
        given["scale_targets"] = "standard" if targets.scales else None
        given["clip_outputs"] = targets.clips
    return fitted(kind, given | dict(parameters), layers, "sequential", classes=classes, **of_model)


def _biases(
    layers: list[tuple[np.ndarray, np.ndarray | None]], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Whether layers have biases. Where some have, the others' are 0, and stay 0 in training."""
    missing = [l for l, (_, b) in enumerate(layers) if b is None]
    if len(missing) == len(layers):
        return {"bias": False}
    for l in missing:
        layers[l] = layers[l][0], np.zeros(len(layers[l][0]), layers[l][0].dtype)
    factors = {f"b{l + 1}": 0.0 for l in missing}
    if factors and "rate_factors" in parameters:
        raise TypeError(
            f"MLP.from_torch takes no rate_factors here, as they keep the biases "
            f"{', '.join(factors)} at 0, which the modules have not"
        )
    return {"rate_factors": factors} if factors else {}


def _rates(read: Read) -> dict[str, Any]:
    """Dropout of the inputs and of each hidden layer."""
    hidden = read.layers[:-1]
    rates = (read.input_dropout, *(layer.dropout for layer in hidden))
    if not any(rates):
        return {}
    selu = [layer for layer in hidden if layer.activation == "selu" and layer.dropout]
    alpha = {layer.alpha_dropout for layer in selu}
    if len(alpha) > 1:
        raise ValueError("some outputs of SELU have Dropout and some AlphaDropout; MLP has one")
    found: dict[str, Any] = {"dropout": rates}
    return found | ({"alpha_dropout": False} if alpha == {False} else {})


def _outputs(
    kind: Any, read: Read, asked: Asked
) -> tuple[str, Any, np.ndarray | None, list[tuple[np.ndarray, np.ndarray | None]]]:
    """Task, output activation, class labels, and the layers with outputs in the order of these."""
    layers = [(layer.W, layer.b) for layer in read.layers]
    end, n = read.layers[-1].activation, len(layers[-1][0])
    own = getattr(kind, "_task", "auto")
    task = asked.task
    if own != "auto" and task not in ("auto", own):
        raise TypeError(f"{kind.__name__} is for {own}, and task is {task!r}")
    task = own if task == "auto" else task
    if task not in ("auto", "classification", "regression"):
        raise ValueError(f"task must be 'classification' or 'regression', got {shown(task)}")
    if task == "auto":
        if asked.classes is None and end not in ("softmax", "log_softmax"):
            raise ValueError(
                "nothing in a Sequential says what its outputs are: say task='regression', or "
                "task='classification', where outputs without an activation are logits, or name "
                "the classes, such as classes=['no', 'yes']"
            )
        task = "classification"
    if task == "regression":
        if asked.classes is not None:
            raise ValueError("classes are for classification, but task is 'regression'")
        if end == "log_softmax":
            raise ValueError("LogSoftmax at the end is for classification, task is 'regression'")
        return task, _agreed(end or "identity", end, asked.output), None, layers
    output = _class_output(end, n, asked.output)
    several = output == "sigmoid" and n > 1
    if several and asked.classes is not None:
        raise ValueError(
            f"{n} outputs sigmoid are {n} yes-or-no labels a row, which have no classes; leave "
            "classes out"
        )
    if several:
        return task, output, None, layers
    n_classes = max(n, 2)
    given = np.arange(n_classes) if asked.classes is None else asked.classes
    classes, order = encode_labels(given, name="classes")
    if len(order) != n_classes or len(classes) != n_classes:
        raise ValueError(
            f"classes must be {n_classes} different labels, one for each of "
            f"{'the two classes of one output' if n == 1 else f'{n} outputs'}, in their order; got "
            f"{shown(given)}"
        )
    layers[-1] = _sorted(*layers[-1], np.argsort(order))
    return task, output, classes, layers


def _agreed(output: Any, end: Any, wanted: Any) -> Any:
    """The output that the modules have, if the caller wants no other."""
    if wanted != "auto" and repr(wanted) != repr(output):
        had = f"end with {end!r}" if end else "end with a Linear"
        raise ValueError(f"output is {wanted!r}, but the modules {had}")
    return output


def _class_output(end: Any, n: int, wanted: Any) -> str:
    """The output activation of a classifier of n outputs."""
    output = "softmax" if end == "log_softmax" else end
    if output is None:  # logits
        output = wanted if wanted in ("sigmoid", "softmax") else "sigmoid" if n == 1 else "softmax"
    if output not in ("sigmoid", "softmax"):
        raise ValueError(
            f"the outputs of a classifier are logits, or end with Sigmoid, Softmax or LogSoftmax; "
            f"these end with {end!r}"
        )
    if output == "softmax" and n == 1:
        raise ValueError("a softmax of one output is always 1; one output is for Sigmoid")
    found: str = _agreed(output, end, wanted)
    return found


def _sorted(
    W: np.ndarray, b: np.ndarray | None, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """A last layer whose outputs are in the order of the sorted classes. One output is the logit of
    the second class, and -z that of the first."""
    if len(W) == 1:
        return (W, b) if order[0] == 0 else (-W, None if b is None else -b)
    return W[order], None if b is None else b[order]


def _inputs(module: Any) -> tuple[Scaling, str]:
    """The scaling of inputs of a net that `to_torch` has made."""
    kind = {"asinh": "robust_asinh", "smooth clip": "robust_clip"}.get(module.curve, "standard")
    return Scaling(_array(module.shift, "shift"), _array(module.factor, "factor"), kind), kind


def _targets(module: Any) -> TargetScaling:
    factor, shift, low, high = (
        _array(getattr(module, name), name) for name in ("factor", "shift", "low", "high")
    )
    return TargetScaling(factor, shift, low, high)
