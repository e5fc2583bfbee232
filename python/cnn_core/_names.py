"""Names that users type: which one is meant, or what there is to choose from."""


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
    if not isinstance(name, str):
        raise TypeError(f"{kind} must be a name, got {name!r}; choose from {', '.join(names)}")
    if name in names:
        return names.index(name)
    import difflib  # a millisecond that no working program needs to pay at import

    close = difflib.get_close_matches(name, names, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    raise ValueError(f"unknown {kind} {name!r}{hint} choose from {', '.join(names)}")
