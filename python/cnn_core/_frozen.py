"""`Frozen`: values with named fields, made once and never changed.

For what the package makes for itself; what users make is `_settings.Settings`, which has written
constructors and equality by value. As frozen dataclasses, but no code is compiled for each class:
for five of those and their module that would be half of what importing the package costs.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar, dataclass_transform

Value = TypeVar("Value", bound="Frozen")

_NONE: Any = object()


@dataclass_transform(eq_default=False, frozen_default=True)
class Frozen:
    """Base of classes whose annotations are their fields, in order; a default is the class's
    attribute of that name. `__post_init__` may check fields and set them by `_set`."""

    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}  # of the fields in their order; `_NONE` for none
    _needed: ClassVar[tuple[str, ...]] = ()  # those without a default

    def __init_subclass__(cls) -> None:
        cls._fields = (*cls._fields, *cls.__annotations__)
        cls._defaults = {name: getattr(cls, name, _NONE) for name in cls._fields}
        cls._needed = tuple(name for name in cls._fields if cls._defaults[name] is _NONE)

    def __init__(self, *values: Any, **named: Any) -> None:
        kind, fields, given = type(self), self._fields, self._defaults.copy()
        given.update(zip(fields, values))
        if len(values) > len(fields) or not named.keys().isdisjoint(fields[: len(values)]):
            raise TypeError(f"{kind.__name__} takes each of {', '.join(fields)} once")
        given.update(named)
        for name in self._needed:
            if given[name] is _NONE:
                raise TypeError(f"{kind.__name__} needs {name}")
        if len(given) > len(fields):
            raise TypeError(f"{kind.__name__} has no field {min(named.keys() - {*fields})}")
        vars(self).update(given)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check the fields."""

    def _set(self, **values: Any) -> None:
        """Set fields of an object that is being made."""
        vars(self).update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} objects do not change; make a new one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} objects do not change; make a new one")


def replace(value: Value, **changes: Any) -> Value:
    """A value like another, with other contents in some fields."""
    kind = type(value)
    if unknown := changes.keys() - value._defaults.keys():
        raise TypeError(f"{kind.__name__} has no field {min(unknown)}")
    other = object.__new__(kind)
    fields = vars(other)
    for name in value._fields:
        fields[name] = getattr(value, name)  # of an old pickle a default may be the class's
    fields.update(changes)
    other.__post_init__()
    return other
