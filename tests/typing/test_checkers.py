"""mypy and pyright on what users write: types of everything, and slips that are found."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cnn_core

HERE = Path(__file__).parent
PACKAGES = Path(cnn_core.__file__).parent.parent  # where checkers find the package


def in_folder(folder: Path, name: str) -> Path:
    """A copy of a script without its comments to checkers."""
    text = re.sub(r"  # type: ignore\[[a-z-]+\]", "", (HERE / name).read_text())
    (folder / name).write_text(text)
    return folder / name


def marked(name: str) -> set[int]:
    """Numbers of the lines with a slip."""
    lines = (HERE / name).read_text().splitlines()
    return {number for number, line in enumerate(lines, 1) if "# type: ignore[" in line}


def mypy(script: Path, folder: Path) -> set[int]:
    """Numbers of the lines that mypy, strict, finds fault with."""
    where = "" if PACKAGES.name == "site-packages" else f"mypy_path = {PACKAGES}\n"
    (folder / "mypy.ini").write_text(f"[mypy]\n{where}")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / "cache")]
    command += ["--config-file", "mypy.ini", script.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1) and not done.stderr, done.stderr
    return {int(one) for one in re.findall(rf"^{script.name}:(\d+): error", done.stdout, re.M)}


def pyright(script: Path, folder: Path) -> set[int]:
    """Numbers of the lines that pyright, strict about what it does not know, finds fault with."""
    settings = {
        "extraPaths": [str(PACKAGES)],
        "reportUnknownMemberType": "none",
        "reportUnknownVariableType": "error",
        "reportUnknownArgumentType": "error",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    program = shutil.which("pyright")
    assert program is not None
    command = [program, "--outputjson", "--pythonpath", sys.executable, script.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {one["range"]["start"]["line"] + 1 for one in found if one["severity"] == "error"}


@pytest.mark.slow
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_checker_finds_every_slip_and_no_other(checker, tmp_path):  # type: ignore[no-untyped-def]
    if checker is mypy:
        pytest.importorskip("mypy")
    elif shutil.which("pyright") is None:
        pytest.skip("pyright is not installed")
    pytest.importorskip("matplotlib")
    script = in_folder(tmp_path, "planted_bugs.py")
    assert checker(script, tmp_path) == marked("planted_bugs.py")
    assert checker(in_folder(tmp_path, "user_script.py"), tmp_path) == set()


@pytest.mark.slow
def test_the_script_runs(tmp_path):  # type: ignore[no-untyped-def]
    pytest.importorskip("matplotlib")
    command = [sys.executable, "-W", "error", str(HERE / "user_script.py")]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "profile.png").exists()
