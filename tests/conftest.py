"""What all tests share: the fixtures, and a guard against testing a package that is not there."""

import signal
import sys
from pathlib import Path

import pytest

# pytest runs with --import-mode=importlib, which leaves sys.path alone: `import reference_numpy`
# needs this.
sys.path.insert(0, str(Path(__file__).parent))

try:
    import cnn_core._cpu as _cpu
except ModuleNotFoundError as error:
    # The source folder of the native core has the package's name; where no package is installed,
    # Python may find that folder, which holds no modules. Any other failure of the import says
    # itself what is wrong.
    if error.name not in ("cnn_core", "cnn_core._cpu"):
        raise
    pytest.exit(
        "cnn_core is not installed: run pip install", returncode=pytest.ExitCode.USAGE_ERROR
    )


# A shell starts what it runs in the background with Ctrl-C ignored, and the tests of Ctrl-C would
# wait for it for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=_cpu.instruction_sets())
def isa(request):
    """The test runs once on every instruction set of this machine; the value is its name."""
    before = _cpu.use_instruction_set(request.param)
    yield request.param
    _cpu.use_instruction_set(before)


@pytest.fixture(params=[name for name in _cpu.instruction_sets() if name != "generic"])
def vector_isa(request):
    """As `isa`, without the scalar path: for comparisons with that path."""
    before = _cpu.use_instruction_set(request.param)
    yield request.param
    _cpu.use_instruction_set(before)


@pytest.fixture
def on_generic():
    """Calls a function on the scalar path, the oracle: ``on_generic(function, *arguments)``."""

    def call(function, *arguments):
        before = _cpu.use_instruction_set("generic")
        try:
            return function(*arguments)
        finally:
            _cpu.use_instruction_set(before)

    return call


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """The test runs in both precisions; the value is the name."""
    return request.param
