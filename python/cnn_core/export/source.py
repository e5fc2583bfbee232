"""The kernels' C sources as items: functions, macros, types, tables, and what each of them uses.

setup.py cuts from the sources what exported nets may need (`extract`), which then is part of the
package. The standard library alone is used here, as the build reads this file by itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

#: The sources, in the order in which the kernels include them.
FILES = (
    "simd_generic.h",
    "scaling.h",
    "math.inc.h",
    "reduce.inc.h",
    "activations.inc.h",
    "metrics.inc.h",
    "periodic.inc.h",
    "losses.inc.h",
    "penalties.inc.h",
    "optimizers.inc.h",
)
#: What the names of functions end with that macros define.
_DEFINED = {
    "F": "",
    "F_PRIME": "_prime",
    "SLOPE": "_slope",
    "CONSTANTS": "_constants",
    "UPDATE": "_update",
}
#: Ends of names of the functions that learn.
_OF_LEARNING = ("_prime", "_slope", "_constants", "_update", "_prepare")
#: What exported nets call, beside those and the functions in the table of activations.
ROOTS = (
    *("FMA", "MAX", "softmax_transposed", "softmax_row", "argmax", "embed_vector"),
    *("asinh_v", "sin_turns_v", "smooth_clip", "to_unit", "ACTIVATIONS"),
    *("softmax_backward_transposed", "penalized", "norm_factor"),
)

_WORD = re.compile(r"[A-Za-z_]\w*")
_NAME = re.compile(r"(\w+)\s*[(\[]")
_HEAD = re.compile(r"(F|F_PRIME|SLOPE|CONSTANTS|UPDATE)\((\w+)\)")
_ROW = re.compile(r'ROW\("(\w+)", (\w+)')


class Item(NamedTuple):
    """A definition at the top level of a file."""

    name: str
    kind: str  #: 'macro', 'type' or 'code'
    text: str
    comment: str
    f64: bool | None  #: whether it is of float64 or of float32 alone; None: of both

    @property
    def words(self) -> set[str]:
        """All names in it."""
        return set(_WORD.findall(self.text))


def items_of(text: str) -> Iterator[Item]:
    """The definitions of a source that clang-format has formatted."""
    lines = iter(text.splitlines())
    conditions: list[bool | None] = []
    comment = ""
    for line in lines:
        if line.startswith("/*"):
            comment = _until(line, lines, lambda found: "*/" in found)
            continue
        if line.startswith("#if"):
            conditions.append(True if line == "#if F64" else None)
        elif line == "#else":
            conditions[-1] = None if conditions[-1] is None else not conditions[-1]
        elif line == "#endif":
            conditions.pop()
        elif line.startswith("enum {"):
            for name, value in _enumerated(_until(line, lines, _is_whole)):
                yield Item(name, "macro", f"#define {name} {value}", "", None)
        else:
            item = _item(line, lines)
            if item is not None:
                f64 = next((one for one in conditions if one is not None), None)
                yield Item(*item, comment, f64)
        comment = ""


def _until(line: str, lines: Iterator[str], ends: object) -> str:
    """A line with those that follow until they are whole."""
    found = line
    while not ends(found):  # type: ignore[operator]
        found += "\n" + next(lines)
    return found


def _item(line: str, lines: Iterator[str]) -> tuple[str, str, str] | None:
    """Name, kind and text of the definition that begins with a line."""
    if line.startswith("#define"):
        text = _until(line, lines, lambda found: not found.endswith("\\"))
        return text.split()[1].partition("(")[0], "macro", text
    if line.startswith("typedef"):
        text = _until(line, lines, _is_whole)
        return text.rstrip(";").split()[-1], "type", text
    head = _HEAD.match(line)
    if head is not None:
        return head[2] + _DEFINED[head[1]], "code", _until(line, lines, _is_whole)
    if line.startswith("static"):
        text = _until(line, lines, _is_whole)
        found = _NAME.search(text)
        return None if found is None else (found[1], "code", text)
    return None


def _enumerated(text: str) -> Iterator[tuple[str, int]]:
    """The constants of an enumeration that has no name."""
    value = -1
    inside = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).partition("{")[2].partition("}")[0]
    for one in filter(None, map(str.strip, inside.split(","))):
        name, _, given = one.partition("=")
        if given and not given.strip().isdigit():  # of other constants, which no net needs
            return
        value = int(given) if given else value + 1
        yield name.strip(), value


def _is_whole(text: str) -> bool:
    bare = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).rstrip()
    return bare.endswith(("}", ";")) and bare.count("{") == bare.count("}")


def reachable(items: Iterable[Item], names: Iterable[str]) -> set[str]:
    """Names of all items that some of them use, directly or not."""
    by_name: dict[str, set[str]] = {}
    for item in items:
        uses = set() if item.name == "ACTIVATIONS" else item.words
        by_name[item.name] = by_name.get(item.name, set()) | uses
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in found:
            found.add(name)
            waiting += by_name[name]
    return found


def activation_functions(items: Iterable[Item]) -> Mapping[str, str]:
    """Activations, with the functions that compute them element by element."""
    table = next(item for item in items if item.name == "ACTIVATIONS")
    return dict(_ROW.findall(table.text))


def extract(folder: Path) -> str:
    """What exported nets may need of the kernels in a folder."""
    items = [item for name in FILES for item in items_of((folder / name).read_text("utf-8"))]
    learning = [item.name for item in items if item.name.endswith(_OF_LEARNING)]
    needed = reachable(items, (*ROOTS, *learning, *activation_functions(items).values()))
    return "".join(_written(item) for item in items if item.name in needed)


def _written(item: Item) -> str:
    text = "".join(f"{part}\n" for part in (item.comment, item.text) if part)
    if item.f64 is None:
        return text
    condition = "#if F64\n" if item.f64 else "#if F64\n#else\n"
    return f"{condition}{text}#endif\n"


def chosen(items: Iterable[Item], names: Collection[str], f64: bool) -> list[Item]:
    """The items of some names for one dtype, without what is for the other."""
    found = []
    for item in items:
        if item.name in names and item.f64 in (None, f64):
            found.append(item._replace(text=_of_dtype(item.text, f64)))
    return found


def _of_dtype(text: str, f64: bool) -> str:
    """Text without conditions on F64 inside it."""
    lines: list[str] = []
    keeps = True
    for line in text.splitlines():
        if line == "#if F64":
            keeps = f64
        elif line == "#else":
            keeps = not keeps
        elif line == "#endif":
            keeps = True
        elif keeps:
            lines.append(line)
    return "\n".join(lines)
