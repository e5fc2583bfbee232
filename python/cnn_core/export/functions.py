"""The functions of the native core that a net needs, as plain C."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from cnn_core.export.macros import Macros
from cnn_core.export.source import Item, activation_functions, chosen, items_of


@cache
def kernel_items() -> tuple[Item, ...]:
    """What the build has extracted of the kernels."""
    return tuple(items_of((files("cnn_core.export") / "kernels.inc.h").read_text("utf-8")))


def function_of(activation: str) -> str:
    """The function that computes an activation element by element."""
    return activation_functions(kernel_items())[activation]


class Functions:
    """Those of one dtype, under names that begin with a prefix.

    Parameters
    ----------
    prefix : str
    f64 : bool
    """

    def __init__(self, prefix: str, f64: bool) -> None:
        self.prefix, self.f64, self.used = prefix, f64, set[str]()

    def __call__(self, name: str) -> str:
        """The name that a function has in the header, which then has it."""
        self.used.add(name)
        return self._name(name)

    def _name(self, name: str) -> str:
        return self.prefix + _SHORTER.get(name, name.lower())

    @property
    def text(self) -> str:
        """All that have been asked for, with those that they call."""
        if not self.used:
            return ""
        everything = kernel_items()
        macros = Macros(chosen(everything, {item.name for item in everything}, self.f64), self.f64)
        code = {
            item.name: item._replace(text=macros.written_out(item.text))
            for item in chosen(everything, {item.name for item in everything}, self.f64)
            if item.kind == "code" and item.name != "ACTIVATIONS"
        }
        called, waiting = set[str](), list(self.used)
        while waiting:
            name = waiting.pop()
            if name in code and name not in called:
                called.add(name)
                waiting += [one[1] or one[0] for one in _CALLED.finditer(code[name].text)]
        parts = []
        for name, item in code.items():
            if name in called:
                text = _CALLED.sub(lambda one: self._renamed(one, code), item.text)
                text = re.sub(r"\n[ \t]+(?=\n)", "", text)
                comment = "" if item.comment.startswith(_OF_THE_KERNELS) else item.comment
                parts.append("".join(f"{one}\n" for one in (comment, text) if one))
        return "\n".join(parts)

    def _renamed(self, found: re.Match[str], code: dict[str, Item]) -> str:
        name = found[1] or found[0]
        if name in ("fma", "fmaf") or name in code:
            return self._name(name) + found[0][len(name) :]
        return found[0]


#: A function where it is called or defined, or a table.
_CALLED = re.compile(r"\b(\w+)(?=\()|\bLANE_INDEX\b")
_SHORTER = {"fmaf": "fma", "softmax_transposed": "softmax", "embed_vector": "embed"}
#: Beginnings of comments about how the kernels divide their work.
_OF_THE_KERNELS = ("/* Transposed layout", "/* x in the lanes")
