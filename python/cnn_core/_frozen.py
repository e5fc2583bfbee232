"""`Frozen`: values with named fields, made once and never changed.

For what the package makes for itself; what users make is `_settings.Settings`, which has written
constructors and equality by value. As frozen dataclasses, but no code is compiled for each class:
for five of those and their module that would be half of what importing the package costs.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar, dataclass_transform

Value = TypeVar("Value", bound="Frozen")


@dataclass_transform(eq_default=False, frozen_default=True)
class Frozen:
    """Base of classes whose annotations are their fields, in order; a default is the class's
    attribute of that name. `__post_init__` may check fields and set them by `_set`."""

    _fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls._fields = (*cls._fields, *cls.__annotations__)

    def __init__(self, *values: Any, **named: Any) -> None:
        kind, fields = type(self), self._fields
        given = dict(zip(fields, values))
        if len(values) > len(fields) or not given.keys().isdisjoint(named):
            raise TypeError(f"{kind.__name__} takes each of {', '.join(fields)} once")
        given.update(named)
        for name in fields:
            if name not in given:
                try:
                    given[name] = getattr(kind, name)
                except AttributeError:
                    raise TypeError(f"{kind.__name__} needs {name}") from None
        if len(given) > len(fields):
            raise TypeError(f"{kind.__name__} has no field {min(given.keys() - fields)}")
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
    return type(value)(**{name: getattr(value, name) for name in value._fields} | changes)
