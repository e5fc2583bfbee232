"""A fitted `MLP` as a torch.nn.Sequential."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from cnn_core.interchange.checks import check_leaves
from cnn_core.interchange.torch_names import module_of, torch_or_raise

if TYPE_CHECKING:
    from cnn_core.model import Model


def to_torch(model: Model) -> Any:
    """See `MLP.to_torch`."""
    torch = torch_or_raise("to_torch")
    check_leaves(model, "to_torch")
    from cnn_core.interchange.torch_modules import ScaledInputs, ScaledTargets

    network, inputs, targets = _network(torch, model), model.scaling, model.target_scaling
    parts: OrderedDict[str, Any] = OrderedDict(network=network)
    if inputs is not None and inputs.scales:
        parts = OrderedDict(inputs=ScaledInputs.of(inputs), network=network)
    if targets is not None and (targets.scales or targets.clips):
        parts["targets"] = ScaledTargets.of(targets)
    return network if len(parts) == 1 else torch.nn.Sequential(parts)


def _network(torch: Any, model: Model) -> Any:
    """Linear and activation of each layer in turn, so that layer l is number 2 l; no activation at
    the end where the output is identity."""
    spec, network = model.network_spec, model.predicting
    dtype, modules = getattr(torch, spec.dtype), []
    for l, (name, number) in enumerate(zip(spec.activations, spec.activation_params)):
        n_in, n_out = network.widths[l : l + 2]
        # skip_init draws no weights, which would move the caller's stream of random numbers.
        linear = torch.nn.utils.skip_init(torch.nn.Linear, n_in, n_out, bias=spec.bias, dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(network.weights(l).copy()))
            if spec.bias:
                linear.bias.copy_(torch.from_numpy(network.bias(l).copy()))
        activation = module_of(name, number, spec.dtype)
        modules.append(linear)
        if activation is not None:
            modules.append(activation)
        elif l < network.n_layers - 1:
            modules.append(torch.nn.Identity())
    return torch.nn.Sequential(*modules)
