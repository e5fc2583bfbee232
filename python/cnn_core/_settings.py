"""Objects that hold a few numbers which users choose: optimizers, schedules, activations and losses
with a parameter.

Plain classes instead of dataclasses: two dozen of those would be a third of what importing the
package costs. Users make them: each has a constructor with a signature of its own, is compared by
value and may be subclassed. What the package makes for itself is `_frozen.Frozen`.
"""

from cnn_core._names import Keywords


class Settings(Keywords):
    """Compared by value, shown as the call that makes them, and never changed."""

    def _set(self, **values: object) -> None:
        """Take the values of the constructor, once, and check them."""
        self.__dict__.update(values)
        self._validate()

    def _validate(self) -> None:
        """Raise for a value out of range."""

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({values})"

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if type(self) is type(other) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __setattr__(self, name: str, value: object) -> None:
        if name in vars(self):
            raise AttributeError(f"{type(self).__name__} objects do not change; make a new one")
        self.__dict__[name] = value  # a subclass of a user's own sets its fields so
