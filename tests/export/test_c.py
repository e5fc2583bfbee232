"""Nets as C headers give the bits of predict, and those that cannot be written are refused."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from cnn_core.activations import ELU, LeakyReLU

from cnn_core import MLP, Ensemble, _activations

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or not shutil.which("gcc"), reason="needs gcc"
)
STRICT = ["-O2", "-Wall", "-Wextra", "-Werror", "-pedantic"]
HIDDEN = [name for name in _activations.names() if name not in ("step", "sign")]


def ran(folder, name, compiler, *flags, emulator=(), links=("-lm",), begins=""):
    """What the header's own test prints, which must succeed; `begins` is C in front of it."""
    source, program = folder / f"{name}.c", folder / name
    source.write_text(f'{begins}\n#include "{name}.h"\n')
    define = f"-D{name.upper()}_TEST"
    command = [*compiler, *STRICT, define, *flags, source, "-o", program, *links]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    done = subprocess.run([*emulator, program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def fitted(kind, dtype="float32", **parameters):
    rng = np.random.default_rng(5)
    X = (rng.normal(size=(60, 3)) * (1, 5, 0.1) + (0, 20, 3)).astype(dtype)
    z = X[:, 0] + X[:, 1] / 5 - 4
    y = {
        "number": z,
        "numbers": np.column_stack((z, 100 * X[:, 2])),
        "two": np.where(z > 0, "yes", 'it\'s "no"?'),
        "three": np.digitize(z, (-0.5, 0.5)) * 10,
        "many": np.arange(60) % 20,
        "several": np.column_stack((z > 0, X[:, 2] > 3)).astype(int),
    }[kind]
    return MLP(hidden=(5, 4), epochs=2, dtype=dtype, random_state=0, **parameters).fit(X, y), X


CASES = {
    "number": dict(scale_inputs="robust_clip"),
    "numbers": dict(scale_inputs="robust_asinh", clip_outputs=True),
    "two": dict(scale_inputs="standard"),
    "three": dict(scale_inputs="minmax", activation=("tanh", LeakyReLU(0.2))),
    "many": dict(scale_inputs=None, activation=("gelu", ELU(0.5))),
    "several": dict(scale_inputs="standard", numeric_embedding="periodic"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", CASES)
def test_every_task_and_scaling_gives_the_bits_of_predict(tmp_path, kind, dtype):
    fitted(kind, dtype, **CASES[kind])[0].export_c(tmp_path / "net.h")
    assert "right, largest difference 0\n" in ran(tmp_path, "net", ["gcc"], "-std=c99")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("loss", ["pinball", "gaussian_nll"])
def test_of_several_outputs_a_target_the_predicted_ones_are_predicted(tmp_path, loss):
    model, _ = fitted("numbers", loss=loss, scale_inputs="standard")
    for wanted in (model, Ensemble([model, model])):
        wanted.export_c(tmp_path / "net.h")
        assert "enum { NET_INPUTS = 3, NET_OUTPUTS = 2" in (tmp_path / "net.h").read_text()
        assert "right, largest difference 0\n" in ran(tmp_path, "net", ["gcc"], "-std=c99")
    model.export_c(tmp_path / "net.h", dtype="int16", input_range=(-10, 40))
    with pytest.raises(NotImplementedError, match=f"does not write the loss '{loss}'"):
        model.export_c(tmp_path / "net.h", train=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_activation_gives_the_bits_of_predict(tmp_path, dtype):
    for name in HIDDEN:
        fitted("number", dtype, activation=name)[0].export_c(tmp_path / "net.h")
        assert "right, largest difference 0\n" in ran(tmp_path, "net", ["gcc"], "-std=c99"), name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "compiler, flags, emulator",
    [
        (["g++", "-x", "c++"], ["-std=c++11"], []),
        (["gcc"], ["-std=gnu99", "-O3", "-mfma", "-ffp-contract=fast"], []),
        (["gcc"], ["-std=c99", "-DNET_NO_FMA"], []),
        (["clang"], ["-std=c99"], []),
        (["aarch64-linux-gnu-gcc"], ["-std=gnu99", "-static"], ["qemu-aarch64"]),
    ],
    ids=("c++", "contracting", "without-fma", "clang", "arm64"),
)
def test_other_compilers_and_processors_give_the_same(tmp_path, compiler, flags, emulator):
    for tool in (compiler[0], *emulator):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    for kind, parameters in CASES.items():
        fitted(kind, **parameters)[0].export_c(tmp_path / "net.h")
        assert ", right," in ran(tmp_path, "net", compiler, *flags, emulator=emulator)


#: What a Cortex-M does first: it switches its floating-point unit on.
RESET = """#include <stdint.h>
extern void _start(void);
void reset(void);
void reset(void)
{
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;
    __asm__ volatile("dsb\\n isb");
    _start();
}
__attribute__((section(".vectors"), used)) static const uintptr_t vectors[2] = {
    0x20010000, (uintptr_t)&reset};
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cortex_m4_gives_the_same(tmp_path):
    compiler, machine = "arm-none-eabi-gcc", "qemu-system-arm"
    for tool in (compiler, machine):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    unit = ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"]
    flags = [*unit, "-Os", "-std=c99", "-Wno-pedantic", "--specs=rdimon.specs"]
    quiet = ["-display", "none", "-monitor", "none", "-serial", "none"]
    board = [machine, "-M", "mps2-an386", "-semihosting-config", "enable=on,target=native", *quiet]
    for kind, parameters in CASES.items():
        fitted(kind, **parameters)[0].export_c(tmp_path / "net.h")
        told = ran(
            *(tmp_path, "net", [compiler], *flags),
            emulator=[*board, "-kernel"],
            links=("-lm", "-Wl,--section-start=.vectors=0"),
            begins=RESET,
        )
        assert "right, largest difference 0\n" in told


@pytest.mark.filterwarnings("ignore")
def test_subnormal_numbers_are_zero_as_in_python(tmp_path):
    model = MLP(hidden=(), task="regression", scale_inputs=None, scale_targets=None)
    model.initialize(n_features=1, n_outputs=1)
    model.weights_ = [np.array([[1e-30]])]
    model.export_c(tmp_path / "net.h")
    main = """#include "net.h"
int main(void) {
    static net_work work;
    volatile float tiny = 1e-30f;
    float x[1] = {1e-10f};
    float y = net_predict(x, &work);
    return tiny * 1e-10f == 0 || (y == 0) == KEEPS;
}
"""
    assert model.predict(np.array([[1e-10]], "f4"))[0] == 0
    for flags in (["-DKEEPS=0"], ["-DKEEPS=1", "-DNET_KEEP_SUBNORMALS"]):
        (tmp_path / "net.c").write_text(main)
        command = ["gcc", *STRICT, *flags, tmp_path / "net.c", "-o", tmp_path / "net", "-lm"]
        subprocess.run(command, check=True)
        assert subprocess.run([tmp_path / "net"], check=False).returncode == 0


@pytest.mark.filterwarnings("ignore")
def test_what_no_header_can_hold_is_refused_and_nothing_is_written(tmp_path):
    model, _ = fitted("number")
    for name, kind in (
        ("1net", ValueError),
        ("int", ValueError),
        ("a__b", ValueError),
        (1, TypeError),
    ):
        with pytest.raises(kind, match="name must"):
            model.export_c(tmp_path / "net.h", name=name)
    of_doubles = fitted("number", "float64")[0]
    with pytest.raises(NotImplementedError, match="of one dtype"):
        Ensemble([model, of_doubles]).export_c(tmp_path / "net.h")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore")
def test_the_header_is_a_program_by_itself_and_refuses_other_arithmetic(tmp_path):
    model, _ = fitted("two")
    model.export_c(tmp_path / "net.h")
    for compiler in ("gcc", "clang"):
        if not shutil.which(compiler):
            continue
        command = [compiler, "-std=c99", *STRICT, "-DNET_TEST", "-x", "c", tmp_path / "net.h"]
        for flags in ([], ["-DNET_NO_FMA"]):
            subprocess.run([*command, *flags, "-lm", "-o", tmp_path / "net"], check=True)
            subprocess.run([tmp_path / "net"], check=True, capture_output=True)
        for flag in ("-ffast-math", "-ffinite-math-only", "-funsafe-math-optimizations"):
            given = [*command, flag, "-lm", "-o", tmp_path / "net"]
            done = subprocess.run(given, check=False, capture_output=True, text=True)
            if done.returncode:
                assert "compile it without -f" in done.stderr
            else:  # clang does not say so, and is told to be exact
                assert compiler == "clang" and flag == "-funsafe-math-optimizations"
                subprocess.run([tmp_path / "net"], check=True, capture_output=True)
