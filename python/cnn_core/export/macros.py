"""Macros written out: the kernels' vector vocabulary, one lane wide, becomes plain C."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from cnn_core.export.source import Item

_TOKEN = re.compile(r"0x[\da-fA-F.]+p[+-]?\d+f?|[A-Za-z_]\w*|/\*.*?\*/", re.DOTALL)
_HEX = re.compile(r"0x[\da-fA-F.]+p[+-]?\d+")
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]?\d+)?f?")
#: A name or a number that stands alone in parentheses, which are not those of a call.
_ALONE = re.compile(r"(?<!\w)(?<!\bif )(?<!\bwhile )\(([A-Za-z_]\w*|[\d.]+(?:e[+-]?\d+)?f?)\)")
_TYPES = {"float", "double", "int", "void", "uint32_t", "uint64_t", "ptrdiff_t"}


def literal(value: float, f64: bool) -> str:
    """A finite number as a literal of C with its exact bits, in decimal."""
    if f64:
        return repr(float(value))
    return f"{np.float32(value)!s}f"


class Macros:
    """The macros and types among some items, for one dtype.

    Parameters
    ----------
    items : iterable of Item
        Those of that dtype.
    f64 : bool
    """

    def __init__(self, items: Iterable[Item], f64: bool) -> None:
        lanes = "8" if f64 else "16"
        self.f64 = f64
        self.objects = {
            **dict(F64="1" if f64 else "0", PANEL_LANES=lanes, PANEL_VECTORS=lanes),
            **dict(ALWAYS_INLINE="inline", NOINLINE="inline", UNROLL=""),
        }
        self.functions: dict[str, tuple[list[str], str]] = {}
        for item in items:
            if item.kind == "type":
                self.objects[item.name] = " ".join(item.text.rstrip(";").split()[1:-1])
            elif item.kind == "macro":
                self._define(item.text)

    def _define(self, text: str) -> None:
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).replace("\\\n", "\n")
        found = re.match(r"#define (\w+)(?:\(([^)]*)\))?\s*(.*)", text, re.DOTALL)
        assert found is not None
        name, parameters, body = found.groups()
        body = re.sub(r"\s+", " ", body).strip()
        if parameters is None:
            self.objects.setdefault(name, body)
        else:
            names = [one.strip() for one in parameters.split(",")]
            self.functions[name] = names, body

    def written_out(self, text: str) -> str:
        """Text without macros."""
        return _plain(self._expanded(text))

    def _expanded(self, text: str) -> str:
        out: list[str] = []
        at = 0
        while True:
            found = _TOKEN.search(text, at)
            if found is None:
                return "".join((*out, text[at:]))
            out.append(text[at : found.start()])
            word, at = found[0], found.end()
            if word.startswith("/*"):
                out.append(word)
            elif _HEX.match(word):
                out.append(self._decimal(word))
            elif word in self.objects:
                out.append(self._expanded(self.objects[word]))
            elif word in self.functions and text[at : at + 1] == "(":
                end = closing(text, at)
                out.append(self._call(word, text[at + 1 : end]))
                at = end + 1
            else:
                out.append(word)

    def _decimal(self, word: str) -> str:
        single = word.endswith("f")
        return literal(float.fromhex(word.rstrip("f") if single else word), not single)

    def _call(self, name: str, inside: str) -> str:
        """A macro with its arguments put in."""
        parameters, body = self.functions[name]
        given = [_plain(self._expanded(one)).strip() for one in arguments(inside)]
        if name == "SET1":
            return self._number(given[0])
        if parameters == ["..."]:
            values = {"__VA_ARGS__": ", ".join(given)}
        else:
            values = dict(zip(parameters, given, strict=True))
        # The arguments are written out already.
        pieces = re.split(r"([A-Za-z_]\w*)", self._expanded_but(body, values))
        text = "".join(values.get(piece, piece) for piece in pieces).strip()
        return text.replace("##", "")

    def _expanded_but(self, body: str, values: dict[str, str]) -> str:
        """A macro's body written out, with its parameters left as they are."""
        hidden = {name: self.objects.pop(name) for name in values if name in self.objects}
        try:
            return self._expanded(body)
        finally:
            self.objects.update(hidden)

    def _number(self, text: str) -> str:
        """SET1 of an expression."""
        real = "double" if self.f64 else "float"
        bare = text.removeprefix(f"({real})")
        bare = bare[1:-1] if bare.startswith("(") and closing(bare, 0) == len(bare) - 1 else bare
        if _NUMBER.fullmatch(bare):
            value = float(bare.rstrip("f"))
            return literal(value, self.f64)
        return f"(({real})({text}))" if bare == text else f"({text})"


def closing(text: str, at: int) -> int:
    """Where the parenthesis that opens at a place closes."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] == "(") - (text[i] == ")")
        if depth == 0:
            return i
    raise ValueError(f"a parenthesis does not close: {text[at : at + 40]}")


def arguments(inside: str) -> list[str]:
    """The arguments between the parentheses of a call."""
    found, depth, start = [], 0, 0
    for i, letter in enumerate(inside):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            found.append(inside[start:i])
            start = i + 1
    return [*found, inside[start:]]


def _plain(text: str) -> str:
    """The same without parentheses that change nothing."""
    before = None
    while text != before:
        before = text
        text = _ALONE.sub(lambda one: one[0] if one[1] in _TYPES else one[1], text)
        text = _without_pair(text)
    return text


def _without_pair(text: str) -> str:
    """Without the first pair of parentheses that is not needed."""
    for found in re.finditer(r"\(", text):
        at = found.start()
        end = closing(text, at)
        inside = text[at + 1 : end]
        if inside not in _TYPES and len(arguments(inside)) == 1 and _is_needless(text, at, end):
            return text[:at] + inside + text[end + 1 :]
    return text


#: What stands before whole expressions.
_BEFORE = re.compile(r"(?:(?<![=<>!])= |\breturn |\w\(|, )$")
_CALL = re.compile(r"\w+(?=\()")


def _is_needless(text: str, at: int, end: int) -> bool:
    """Whether some parentheses hold a whole expression, others, or one call."""
    before, after = text[:at], text[end + 1 : end + 2]
    if re.search(r"(?:\w|\b(?:if|for|while) )$", before):  # of a call, or of a statement
        return False
    if _BEFORE.search(before) and after in ("", ";", ",", ")"):
        return True
    if before.endswith("(") and after == ")" and closing(text, at - 1) == end + 1:
        return True
    inside = text[at + 1 : end]
    call = _CALL.match(inside)
    return call is not None and closing(inside, call.end()) == len(inside) - 1
