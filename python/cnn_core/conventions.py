"""The parameters of MLP as a constructor's keywords: stored as they are given, shown, and
pickled."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Self

from cnn_core._few import clipped
from cnn_core._names import Keywords, choose
from cnn_core._state import restored, with_versions

#: Most characters of a parameter that is shown.
_LONGEST = 200


class Parameters(Keywords):
    """What `MLP` knows of its parameters; scikit-learn's conventions hold (get_params, set_params,
    clone)."""

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        init: Any = cls.__init__
        code, defaults = init.__code__, init.__defaults__
        names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
        return {**dict(zip(names, defaults or ())), **(init.__kwdefaults__ or {})}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
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

    def set_params(self, **params: Any) -> Self:
        """Change parameters; the fitted model stays until the next fit.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For an unknown name or a bad value; then nothing has changed.
        """
        values = self.get_params()
        for name in params:
            choose("parameter", name, tuple(values))
        self._checked(self._all() | params)
        vars(self).update(params)  # all of them in one step
        return self

    def __getstate__(self) -> dict[str, Any]:
        kind, base = type(self), Parameters
        own = (kind.__getstate__, kind.__setstate__) == (base.__getstate__, base.__setstate__)
        return with_versions(vars(self), self._defaults(), own)

    def __setstate__(self, state: dict[str, Any]) -> None:
        inner: dict[str, Any] = {"_fitted": None}
        vars(self).update(restored(state, self._defaults() | inner, type(self).__name__))

    def __repr__(self) -> str:
        defaults = self._defaults()
        changed = [
            f"{name}={_short(value)}"
            for name, value in self.get_params().items()
            if value is not defaults[name] and repr(value) != repr(defaults[name])
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    @classmethod
    def _parameters_in_files(cls) -> Mapping[str, Any]:
        return cls._defaults()

    def _check_parameters(self) -> SimpleNamespace:
        """The parameters as they are now, checked; a fit works with these, whatever becomes of the
        estimator's own while it runs."""
        return self._checked(self._all())

    @staticmethod
    def _checked(values: Mapping[str, Any]) -> SimpleNamespace:
        # Optimizers, schedules, initializers: of no use before the first MLP is made.
        from cnn_core.parameters import check_parameters

        return check_parameters(values)

    def _all(self) -> dict[str, Any]:
        """What `MLP` takes, also where a class derived from it fixes some of it."""
        from cnn_core.parameters import RULES

        return {name: getattr(self, name) for name in (*RULES, "dropout")}


def _short(value: Any) -> str:
    """The repr of a parameter; arrays and long lists of it as their beginning."""
    text = repr(value)
    return text if len(text) <= _LONGEST and "\n" not in text else clipped(text, _LONGEST)
