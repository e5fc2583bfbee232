"""Limits of size that keep the code readable; prints what exceeds them and exits with 1.

Python is parsed; in Cython and C a function ends where the indentation returns to its own.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

FILE_LINES, FUNCTION_LINES, PARAMETERS, FIELDS, COLUMNS = 600, 60, 8, 25, 100

#: Constructors that list what users may choose.
ESTIMATORS = {"MLP", "MLPOfOneTask", "MLPClassifier", "MLPRegressor", "TabularMLP", "DaskMLP"}
#: Functions that list it, most of them by keyword.
OF_USERS = {"fit_many"}

DEFINITION = re.compile(r"^(?P<indent> *)(?:def|cdef|cpdef)\b.*?(?P<name>\w+)\((?P<rest>.*)")
CLASS = re.compile(r"^cdef class (\w+)")
FIELD = re.compile(r"^    cdef (?!.*\()(?:public |readonly )*(?P<declared>[^#]+)")


def sources():
    """Every file under version control that people write by hand."""
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        path = Path(name)
        if path.suffix in {".py", ".pyi", ".pyx", ".pxd", ".c", ".h"} and path.exists():
            yield path


def check_file(path, lines):
    """Length of the file and of its lines."""
    if len(lines) > FILE_LINES:
        yield f"{path}: {len(lines)} lines, at most {FILE_LINES}"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS:
            yield f"{path}:{number}: {len(line)} columns, at most {COLUMNS}"


def code_lines(lines, mark):
    """How many lines hold code: no blank line, comment or docstring."""
    count, quoted = 0, False
    for line in lines:
        text = line.strip()
        if quoted or text.startswith('"""'):
            quoted ^= text.count('"""') % 2 == 1
        elif text and not text.startswith(mark):
            count += 1
    return count


def check_python(path, lines):
    """Functions, signatures and fields of a Python module."""
    tree = ast.parse("\n".join(lines))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            fields = {
                target.attr
                for part in ast.walk(node)
                if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store)
                for target in [part]
                if isinstance(target.value, ast.Name) and target.value.id == "self"
            }
            fields |= {part.target.id for part in node.body if isinstance(part, ast.AnnAssign)}
            if len(fields) > FIELDS and node.name not in ESTIMATORS:
                yield f"{path}:{node.lineno}: {node.name} has {len(fields)} fields"
            yield from check_signatures(path, node.body, node.name)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            size = code_lines(lines[node.lineno - 1 : node.end_lineno], "#")
            constructor = node.name == "__init__" and len(node.args.kwonlyargs) > PARAMETERS
            if size > FUNCTION_LINES and not constructor and path.parts[0] != "tests":
                yield f"{path}:{node.lineno}: {node.name} has {size} lines of code"
    yield from check_signatures(path, tree.body, "")


def check_signatures(path, body, owner):
    """Parameters of the functions defined directly in `body`."""
    for node in body:
        if not isinstance(node, ast.FunctionDef):
            continue
        if (owner in ESTIMATORS and node.name == "__init__") or node.name in OF_USERS:
            continue
        given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        count = len(given) - (bool(owner) and given[:1] != [] and given[0].arg in ("self", "cls"))
        if count > PARAMETERS and path.parts[0] != "tests":
            yield f"{path}:{node.lineno}: {owner or 'module'}.{node.name} takes {count} parameters"


def check_cython(path, lines):
    """The same for Cython, by indentation."""
    owner, fields = None, {}
    for number, line in enumerate(lines):
        if found := CLASS.match(line):
            owner = found[1]
        elif line[:1].strip():
            owner = None
        elif owner and (found := FIELD.match(line)) and not found["declared"].startswith("class "):
            fields[owner] = fields.get(owner, 0) + found["declared"].count(",") + 1
        found = DEFINITION.match(line)
        if not found or line.rstrip().endswith(("nogil", "noexcept", "*")) or path.suffix == ".pxd":
            continue
        yield from check_cython_function(path, lines, number, found)
    for name, count in fields.items():
        if count > FIELDS:
            yield f"{path}: {name} has {count} fields"


def check_cython_function(path, lines, number, found):
    """Code lines and parameters of the function that begins at a line."""
    signature, last = found["rest"], number
    while signature.count("(") + 1 > signature.count(")") and last + 1 < len(lines):
        last += 1
        signature += lines[last]
    end, indent = last + 1, len(found["indent"])
    while end < len(lines) and (
        not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent
    ):
        end += 1
    size = code_lines(lines[number:end], "#")
    if size > FUNCTION_LINES:
        yield f"{path}:{number + 1}: {found['name']} has {size} lines of code"
    inside = re.sub(r"\[[^\]]*\]|\([^()]*\)", "", signature.rsplit(")", 1)[0])
    names = [part for part in inside.split(",") if part.strip() and part.strip() != "*"]
    count = len(names) - (names[:1] != [] and names[0].strip() == "self")
    if count > PARAMETERS:
        yield f"{path}:{number + 1}: {found['name']} takes {count} parameters"


def check_c(path, lines):
    """Functions of a C file: from a line that is only `{` to one that is only `}`."""
    start = None
    for number, line in enumerate(lines):
        if line.rstrip() == "{":
            start = number
        elif line.rstrip() == "}" and start is not None:
            size = code_lines(lines[start : number + 1], ("/*", "*", "//", "UNROLL"))
            if size > FUNCTION_LINES:
                yield f"{path}:{start}: a function of {size} lines of code"
            start = None


def main():
    """Check every source; the exit status says whether all limits hold."""
    findings = []
    for path in sources():
        lines = path.read_text(encoding="utf-8").splitlines()
        findings += check_file(path, lines)
        if path.suffix in {".py", ".pyi"}:
            findings += check_python(path, lines)
        elif path.suffix in {".pyx", ".pxd"}:
            findings += check_cython(path, lines)
        else:
            findings += check_c(path, lines)
    print("\n".join(findings) or "all limits of size hold")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
