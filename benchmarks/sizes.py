"""What packages take on the disk, with all they depend on."""

import importlib.metadata
import importlib.util
import json
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(distribution):
    """{name: distribution} of a distribution and everything installed that it requires."""
    found, todo = {}, [distribution]
    while todo:
        name = canonicalize_name(todo.pop())
        if name in found:
            continue
        found[name] = importlib.metadata.distribution(name)
        for line in found[name].requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement.name)
    return found


def files(distribution):
    """Its files without compiled bytecode; of an editable install those of the folder it points
    to."""
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        spec = importlib.util.find_spec(distribution.name.replace("-", "_"))
        paths = [
            path for folder in spec.submodule_search_locations for path in Path(folder).rglob("*")
        ]
    else:
        paths = [Path(distribution.locate_file(file)) for file in distribution.files or ()]
    return [path for path in paths if path.suffix != ".pyc" and path.is_file()]


def size(distribution):
    """(bytes of a distribution, bytes of it and everything it requires, how many distributions that
    are)."""
    found = closure(distribution)
    total = {name: sum(path.stat().st_size for path in files(one)) for name, one in found.items()}
    return next(iter(total.values())), sum(total.values()), len(total)
