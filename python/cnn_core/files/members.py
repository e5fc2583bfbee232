"""What a file holds of several fitted MLPs that predict together.

Each has its class, its parameters and its model, as a file of its own has them, and its tensors
under ``members.{k}.``. What the k-th has as the first one is not there again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnn_core.exceptions import ModelFormatError
from cnn_core.files.codecs import Codec, Tensors, Text, Whole, fail
from cnn_core.files.schema import CALIBRATION, MODEL

if TYPE_CHECKING:
    from cnn_core.mlp import MLP
    from cnn_core.model import Model

#: The classes of members.
CLASSES = ("MLP", "MLPClassifier", "MLPRegressor")
_KEYS = ("class", "parameters", "model")


class Members(Codec):
    """A list of pairs of an MLP and its `Model`; read as MLPs that have it."""

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        from cnn_core.files.estimators import written_parameters

        written: list[dict[str, Any]] = []
        for k, (estimator, model) in enumerate(value):
            fields, own = _fields(model, written[0]["model"] if written else {})
            tensors.update({f"members.{k}.{name}": array for name, array in own.items()})
            parameters = written_parameters(estimator)
            written.append(
                {"class": estimator._in_files, "parameters": parameters, "model": fields}
            )
        return {"members": written}

    def read(self, json: Any, where: str, tensors: Tensors) -> list[MLP]:
        if not isinstance(json, dict) or list(json) != ["members"]:
            fail("the model", json, "an object with 'members'")
        members = json["members"]
        if not isinstance(members, list) or not members:
            fail("members", members, "a list of models")
        found: list[MLP] = []
        apart = _by_member(tensors)
        for k, one in enumerate(members):
            place = f"members.{k}"
            if not isinstance(one, dict) or {*one} != {*_KEYS}:
                fail(place, one, f"an object with {', '.join(_KEYS)}")
            own = apart.get(str(k), {})
            try:
                found.append(_member(one, found, own))
            except ModelFormatError as error:
                raise ModelFormatError(f"{place}: {error}") from None
        for k_text, own in apart.items():
            for name in own:
                raise ModelFormatError(
                    f"the tensor {f'members.{k_text}.{name}'[:50]!r} belongs to nothing"
                )
        return found


def _fields(model: Model, first: dict[str, Any]) -> tuple[dict[str, Any], Tensors]:
    """What JSON holds of a model that is not that of the first one, and the model's tensors."""
    fields: dict[str, Any] = {}
    tensors: Tensors = {}
    for name, value in MODEL.values(model).items():
        count = len(tensors)
        one = MODEL.fields[name].write(value, name, tensors)
        if len(tensors) > count or name not in first or one != first[name]:
            fields[name] = one
    return fields, tensors


def _member(json: dict[str, Any], before: list[MLP], tensors: Tensors) -> MLP:
    """A fitted MLP; what is not there is that of the first one."""
    from cnn_core.files.estimators import checked, class_of, read_parameters

    kind: Any = class_of(Text(*CLASSES).read(json["class"], "class", tensors))
    parameters = read_parameters(kind, json["parameters"], tensors)
    defaults = MODEL.defaults
    if before:
        values = MODEL.values(before[0]._model())
        defaults = {name: one for name, one in values.items() if name != "network"}
    model: Model = MODEL.read_beside(defaults, json["model"], "", tensors)
    member: MLP = checked(kind, parameters, model)
    return member


def _by_member(tensors: Tensors) -> dict[str, Tensors]:
    """The tensors of each member by their own names; they are taken out."""
    apart: dict[str, Tensors] = {}
    for name in [name for name in tensors if name.startswith("members.")]:
        k, _, rest = name.removeprefix("members.").partition(".")
        apart.setdefault(k, {})[rest] = tensors.pop(name)
    return apart


class Averaged(Codec):
    """What an `Ensemble` has: its calibration, where it has one, and its members."""

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        calibration, members = value
        written = MEMBERS.write(members, where, tensors)
        if calibration is not None:
            written["calibration"] = CALIBRATION.write(calibration, "calibration", tensors)
        return written

    def read(self, json: Any, where: str, tensors: Tensors) -> tuple[Any, list[MLP]]:
        if not isinstance(json, dict):
            fail("the model", json, "an object")
        rest = dict(json)
        calibration = CALIBRATION.read(rest.pop("calibration", None), "calibration", tensors)
        return calibration, MEMBERS.read(rest, where, tensors)


class Tabular(Codec):
    """What `TabularMLP` has: the version of its recipe, and what an `Ensemble` has."""

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        (version, calibration), members = value
        averaged = ENSEMBLE.write((calibration, members), where, tensors)
        return {"recipe_version": version, **averaged}

    def read(self, json: Any, where: str, tensors: Tensors) -> tuple[int, Any, list[MLP]]:
        if not isinstance(json, dict):
            fail("the model", json, "an object")
        rest = dict(json)
        version = Whole(1).read(rest.pop("recipe_version", None), "recipe_version", tensors)
        return version, *ENSEMBLE.read(rest, where, tensors)


MEMBERS, ENSEMBLE, TABULAR = Members(), Averaged(), Tabular()
