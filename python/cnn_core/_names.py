"""Names that users type: which one is meant, what there is to choose from, and what something of
another library is called here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FunctionType
from typing import Any, NoReturn, Self, TypeVar

Method = TypeVar("Method", bound=Callable[..., object])

#: `inspect.CO_VARKEYWORDS`: the flag of functions with a parameter ``**name``.
_TAKES_ANY_KEYWORD = 8


def choose(kind: str, name: object, names: tuple[str, ...]) -> int:
    """Position of `name` in `names`, or a ValueError that says what there is.

    Parameters
    ----------
    kind : str
        What is being chosen, for the message: ``'activation'``, ``'loss'``, ...
    name : str
    names : tuple of str

    Returns
    -------
    int
    """
    if isinstance(name, str) and name in names:
        return names.index(name)
    if not isinstance(name, str):
        nothing = name is None and "identity" in names
        hint = "'identity' is no activation" if nothing else f"choose from {', '.join(names)}"
        raise TypeError(f"{kind} must be a name, got {name!r}; {hint}")
    hint = meaning(kind, name)
    if hint in names:
        hint = f"it is called {hint if kind == 'parameter' else repr(hint)} here"
    elif not hint:
        close = nearest(name, names)
        hint = f"did you mean {close!r}? choose" if close else "choose"
        hint += f" from {', '.join(names)}"
    raise ValueError(f"unknown {kind} {name!r}; {hint}")


def meaning(kind: str, name: str) -> str:
    """What a name of another library is called here, or the end of a sentence about it; nothing
    for a name that nobody knows."""
    from cnn_core import _foreign  # tables that no working program needs

    word = name.lower().replace("-", "_").replace(" ", "_")
    table = _foreign.VALUES.get(kind, {})
    return table.get(name) or table.get(word, "")


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that is meant by a slip of the pen, if any is."""
    import difflib  # a millisecond that no working program needs to pay at import

    plain = {"".join(filter(str.isalnum, one)).lower(): one for one in names}
    close = difflib.get_close_matches("".join(filter(str.isalnum, name)).lower(), plain, 1)
    return plain[close[0]] if close else None


class Keywords:
    """Base of classes whose constructor says what a keyword that it does not know is called here.

    Python calls `__new__` first and with the same arguments, so the constructor needs neither a
    wrapper nor a ``**unknown``: editors and type checkers see its own signature.
    """

    def __new__(cls, *_: Any, **named: Any) -> Self:
        if named:
            code = getattr(cls.__init__, "__code__", None)
            if code is not None and not code.co_flags & _TAKES_ANY_KEYWORD:
                known = _parameters(code)
                if not named.keys() <= {*known}:
                    _refuse(cls.__name__, [one.__name__ for one in cls.__mro__], named, known)
        return super().__new__(cls)


def refuse(method: Any, model: Any, unknown: Mapping[str, object]) -> NoReturn:
    """Raise a TypeError for keywords that a method of MLP does not know: many belong to the
    constructor."""
    from cnn_core import _foreign

    name, known, parameters = method.__name__, _parameters(method.__code__), model.get_params()
    word = next(iter(unknown))
    meant = word if word in parameters else _foreign.KEYWORDS["MLP"].get(word, word)
    if word not in _foreign.KEYWORDS[name] and meant in parameters:
        raise TypeError(
            f"{name} has no parameter {word!r}; it is {'' if meant == word else f'{meant}, '}"
            f"a parameter of MLP: MLP({meant}=...) or model.set_params({meant}=...)"
        )
    _refuse(name, [name] if nearest(word, known) else [name, "MLP"], unknown, known)


def refuse_keywords(
    function: str, unknown: Mapping[str, object], known: tuple[str, ...]
) -> NoReturn:
    """Raise a TypeError for keywords that a function does not know."""
    _refuse(function, [function], unknown, known)


def without_unknown(method: Method) -> Method:
    """Decorator: a last parameter ``**unknown`` is there for an error message alone and is not
    shown by `inspect.signature`, by ``help`` and in notebooks.

    They show the function that `__wrapped__` names, here a twin that is never called: to make a
    Signature at import takes a hundred times as long.
    """
    function: Any = method
    code = function.__code__
    twin = FunctionType(code.replace(co_flags=code.co_flags & ~_TAKES_ANY_KEYWORD), {})
    for name in ("__name__", "__qualname__", "__doc__", "__defaults__", "__kwdefaults__"):
        setattr(twin, name, getattr(function, name))
    twin.__annotations__ = {k: v for k, v in function.__annotations__.items() if k != "unknown"}
    function.__wrapped__ = twin
    return method


def _parameters(code: CodeType) -> tuple[str, ...]:
    """Names of a function's parameters, self and ``**unknown`` left out."""
    return code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]


def _refuse(
    owner: str, tables: Iterable[str], given: Iterable[str], known: tuple[str, ...]
) -> NoReturn:
    """Raise a TypeError for the first keyword that is not known."""
    from cnn_core import _foreign

    word = next(name for name in given if name not in known)
    for table in tables:
        hint = _foreign.KEYWORDS.get(table, {}).get(word, "")
        if hint in known:
            raise TypeError(f"{owner} has no parameter {word!r}; it is called {hint} here")
        if not hint.isidentifier() and hint:
            raise TypeError(f"{owner} has no parameter {word!r}; {hint}")
    close = nearest(word, known)
    listed = ", ".join(known) if known else "no parameters"
    hint = f"did you mean {close!r}?" if close else f"it takes {listed}"
    raise TypeError(f"{owner} has no parameter {word!r}; {hint}")
