"""Pieces of C: names, numbers, tables, texts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from cnn_core.export.macros import literal

#: Words of C99 and C++ that cannot be names, and others that headers of both define.
KEYWORDS = frozenset(
    [
        "alignas",
        "alignof",
        "and",
        "and_eq",
        "asm",
        "auto",
        "bitand",
        "bitor",
        "bool",
        "break",
        "case",
        "catch",
        "char",
        "class",
        "compl",
        "concept",
        "const",
        "const_cast",
        "constexpr",
        "continue",
        "co_await",
        "co_return",
        "co_yield",
        "decltype",
        "default",
        "delete",
        "do",
        "double",
        "dynamic_cast",
        "else",
        "enum",
        "explicit",
        "export",
        "extern",
        "false",
        "float",
        "for",
        "friend",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "mutable",
        "namespace",
        "new",
        "noexcept",
        "not",
        "not_eq",
        "nullptr",
        "operator",
        "or",
        "or_eq",
        "private",
        "protected",
        "public",
        "register",
        "reinterpret_cast",
        "requires",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "static_assert",
        "static_cast",
        "struct",
        "switch",
        "template",
        "this",
        "thread_local",
        "throw",
        "true",
        "try",
        "typedef",
        "typeid",
        "typename",
        "union",
        "unsigned",
        "using",
        "virtual",
        "void",
        "volatile",
        "wchar_t",
        "while",
        "xor",
        "xor_eq",
        "main",
        "NULL",
    ]
)
#: Words that are no names of fields, as headers and compilers define macros of these names.
MACROS = frozenset(
    (
        *("NAN", "INFINITY", "DOMAIN", "SING", "OVERFLOW", "UNDERFLOW", "EOF", "I", "PI", "errno"),
        *("stdin", "stdout", "stderr", "linux", "unix", "i386", "arm", "near", "far"),
    )
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


def check_name(name: Any) -> str:
    """A name for the functions of a header.

    Raises
    ------
    TypeError, ValueError
        For what is no name of C, or one that C or C++ keep for themselves.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, got {type(name).__name__}")
    if not _NAME.fullmatch(name) or "__" in name:
        raise ValueError(
            f"name must be a name of C, letters, digits and single _ that begin with a letter, got "
            f"{name!r}"
        )
    if name in KEYWORDS:
        raise ValueError(f"name must not be a word of C or C++, got {name!r}")
    return name


def guard(name: str) -> str:
    """What lets a header be included once, and not beside that of another net whose macros are the
    same; and be a program that calls some of its functions alone."""
    macro, test = f"{name.upper()}_H", f"{name.upper()}_TEST"
    return (
        f"#if defined({macro}) && !defined({macro}_OF_{name})\n"
        f'#error "another net is called {name} but for upper and lower case: rename one"\n'
        f"#endif\n#ifndef {macro}\n#define {macro}\n#define {macro}_OF_{name}\n\n"
        f"#if defined({test}) && defined(__clang__)\n"
        '#pragma clang diagnostic ignored "-Wunused-function" /* as a program, it calls some */\n'
        "#endif\n"
    )


def field_names(names: Sequence[Any]) -> list[str]:
    """A different name of C for each column of a table."""
    found: list[str] = []
    for name in names:
        bare = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", str(name))).strip("_")
        if not _NAME.fullmatch(bare) or bare in KEYWORDS | MACROS:
            bare = f"column_{bare}".rstrip("_")
        unique, count = bare, 1
        while unique in found:
            count += 1
            unique = f"{bare}_{count}"
        found.append(unique)
    return found


def number(value: Any, f64: bool) -> str:
    """A number as a literal, infinity too."""
    if np.isinf(value):
        real = "double" if f64 else "float"
        return f"{'-' if value < 0 else ''}({real})INFINITY"
    return literal(float(value), f64)


def wrapped(words: Iterable[str], indent: int = 4) -> str:
    """Words with commas between them, in lines of 100 columns."""
    lines, line = [], " " * indent
    for word in words:
        if len(line) + len(word) > 98 and line.strip():
            lines.append(line.rstrip())
            line = " " * indent
        line += f"{word}, "
    return "\n".join((*lines, line.rstrip().rstrip(",")))


def table(kind: str, name: str, words: Sequence[str]) -> str:
    """A constant array."""
    return f"static const {kind} {name}[{len(words)}] = {{\n{wrapped(words)}}};\n"


def numbers(name: str, values: np.ndarray, f64: bool) -> str:
    """A constant array of numbers."""
    kind = "double" if f64 else "float"
    return table(kind, name, [number(one, f64) for one in values.ravel().tolist()])


def quoted(text: str) -> str:
    """A text as a literal that is the same in every encoding of the source, in UTF-8."""
    if "\0" in text:
        raise ValueError(f"a text with the character 0 is none in C, got {text!r}")
    safe = {ord(one) for one in " !#$%&'()*+,-./:;<=>@[]^_`{|}~"}
    out = ""
    for byte in text.encode("utf-8", "surrogatepass"):
        letter = chr(byte)
        out += (
            letter if (letter.isascii() and letter.isalnum()) or byte in safe else f"\\{byte:03o}"
        )
    return f'"{out}"'


def in_comment(text: str) -> str:
    """A text that cannot end a comment, in ASCII."""
    shown = text.encode("ascii", "backslashreplace").decode().replace("\n", " ")
    return re.sub(r"\*/|/\*|\?\?", lambda one: " ".join(one[0]), shown).replace("\\\n", " ")


def enumeration(prefix: str, values: Collection[tuple[str, int]]) -> str:
    """Constants for sizes."""
    return "enum { " + ", ".join(f"{prefix}_{name} = {value}" for name, value in values) + " };\n"
