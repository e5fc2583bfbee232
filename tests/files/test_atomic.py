"""A file is written whole or not at all, whatever fails, and whoever is killed."""

import errno
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest
from cnn_core.files import atomic
from reliability_cases import failing_call

from cnn_core import MLP, load

if sys.platform == "win32":
    pytest.skip("its calls are others", allow_module_level=True)

CALLS = (
    "open",
    "write",
    "fsync",
    "replace",
    "fchmod",
    "stat",
    "fstat",
    "close",
    "listdir",
    "unlink",
)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("there", [True, False])
def test_whatever_fails_the_old_file_is_whole_and_nothing_is_left(
    tmp_path, monkeypatch, name, error, there
):
    path, failed = tmp_path / "model", 0
    leftover = tmp_path / ".model.0123456789ab.tmp"
    for at in range(20):
        for file in (path, leftover):
            file.unlink(missing_ok=True)
        if there:
            path.write_bytes(b"old")
            leftover.write_bytes(b"of a writer that was killed")
        with monkeypatch.context() as patched:
            calls = failing_call(patched, name, at, error)
            try:
                atomic.write_whole(path, b"new")
                written = True
            except OSError as caught:
                assert caught.errno == error  # noqa: PT017
                written, failed = False, failed + 1
        content = path.read_bytes() if path.exists() else None
        flushed_all_but_the_folder = name in ("fsync", "open") and content == b"new"
        if written or flushed_all_but_the_folder:
            assert content == b"new"
        else:
            assert content == (b"old" if there else None)
        others = set(os.listdir(tmp_path)) - {"model"}
        assert others <= ({leftover.name} if len(calls) > at else set())
        if len(calls) <= at:
            break
    else:
        pytest.fail("more calls than one write makes")
    if name in ("write", "fsync", "replace"):
        assert failed


def test_a_write_that_takes_a_part_is_gone_on_with(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:3]))
    atomic.write_whole(tmp_path / "model", b"0123456789")
    assert (tmp_path / "model").read_bytes() == b"0123456789"


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_an_interrupt_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call):
    path = tmp_path / "model"
    path.write_bytes(b"old")

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, call, interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_whole(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["model"]


#: Forks a process that saves, and prints its number after the first save, for each line it reads.
SAVE = """
import os, sys
from cnn_core import MLP
X = [[i / 10, i % 3] for i in range(20)]
models = [MLP(n, epochs=1, random_state=n).fit(X, [i % 2 for i in range(20)]) for n in (300, 301)]
models[0].save(sys.argv[1])  # imports what saving needs, once for all
for line in sys.stdin:
    if os.fork() == 0:
        for i in range(100_000):
            models[i % 2].save(sys.argv[1], optimizer=True)
            if i == 0:
                print(os.getpid(), flush=True)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == -9
"""


@pytest.mark.slow
def test_a_file_loads_after_any_of_50_kills_and_the_next_save_tidies_up(tmp_path):
    path, rng, leftovers = tmp_path / "model", random.Random(0), 0
    widths = set()
    with subprocess.Popen(
        [sys.executable, "-c", SAVE, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        for _ in range(50):
            process.stdin.write("\n")
            saving = int(process.stdout.readline())
            time.sleep(rng.random() * 0.02)
            os.kill(saving, signal.SIGKILL)
            widths.add(load(path).hidden)
            leftovers += len(os.listdir(tmp_path)) - 1
        process.stdin.close()
        assert process.wait() == 0
    assert widths == {300, 301}
    load(path).save(path)
    assert os.listdir(tmp_path) == ["model"]
    print(f"{leftovers} temporary files were left behind")


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(tmp_path):
    path = tmp_path / "model"
    temporary, file = atomic._create(str(tmp_path), ".model.")
    others = [".model.0123456789ab.tmp", ".model.x.tmp", ".model.0123456789abc.tmp", "model.tmp",
              ".models.0123456789ab.tmp", ".Model.0123456789ab.tmp"]  # fmt: skip
    for name in others:
        (tmp_path / name).write_bytes(b"")
    atomic.write_whole(path, b"new")
    names = {*os.listdir(tmp_path)}
    assert names == {"model", os.path.basename(temporary), *others[1:]}
    os.close(file)
    atomic.write_whole(path, b"new")
    assert os.path.basename(temporary) not in os.listdir(tmp_path)


def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    link.symlink_to("folder/target")
    for data in (b"first", b"second"):  # also where the target is not there yet
        atomic.write_whole(link, data)
        assert link.is_symlink() and target.read_bytes() == data
    assert os.listdir(tmp_path / "folder") == ["target"]
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    with pytest.raises(OSError):
        atomic.write_whole(loop, b"new")
    assert loop.is_symlink()


def test_permissions_are_kept_and_new_files_have_the_usual_ones(tmp_path):
    path = tmp_path / "model"
    before = os.umask(0o027)
    try:
        atomic.write_whole(path, b"new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(before)
    for mode in (0o600, 0o444, 0o755):
        path.chmod(mode)
        atomic.write_whole(path, b"newer")
        assert stat.S_IMODE(path.stat().st_mode) == mode and path.read_bytes() == b"newer"


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files to others")
def test_the_owner_is_kept(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(b"old")
    path.chmod(0o4750)
    os.chown(path, 1000, 1001)
    path.chmod(0o4750)
    atomic.write_whole(path, b"new")
    status = path.stat()
    assert (status.st_uid, status.st_gid) == (1000, 1001)
    assert stat.S_IMODE(status.st_mode) == 0o4750 and path.read_bytes() == b"new"


def test_who_may_not_give_files_to_others_writes_one_of_their_own(tmp_path, monkeypatch):
    def denied(*arguments):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    path = tmp_path / "model"
    path.write_bytes(b"old")
    path.chmod(0o640)
    for name in ("fchown", "setxattr"):
        monkeypatch.setattr(os, name, denied)
    atomic.write_whole(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640 and path.read_bytes() == b"new"


def test_extended_attributes_are_kept(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(b"old")
    try:
        os.setxattr(path, "user.note", b"mine")
    except OSError:
        pytest.skip("a file system without extended attributes")
    atomic.write_whole(path, b"new")
    assert os.getxattr(path, "user.note") == b"mine" and path.read_bytes() == b"new"


def test_a_path_that_is_written_as_a_folder_is_none_of_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").write_bytes(b"old")
    for name in ("new/", "there/", "new/.", "there/..", "new//", f"{tmp_path}/new/"):
        with pytest.raises(IsADirectoryError) as caught:
            atomic.write_whole(name, b"new")
        assert caught.value.filename == name
    with pytest.raises(FileNotFoundError):
        atomic.write_whole("", b"new")
    assert os.listdir(tmp_path) == ["there"] and (tmp_path / "there").read_bytes() == b"old"


def test_errors_name_the_path_that_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("none/model", "none/sub/model"):
        with pytest.raises(FileNotFoundError, match=f"The folder .* does not exist: '{name}'"):
            atomic.write_whole(name, b"new")
    for call, error in (("open", errno.EACCES), ("write", errno.ENOSPC), ("replace", errno.EIO)):
        with monkeypatch.context() as patched:
            failing_call(patched, call, 0, error)
            with pytest.raises(OSError, match="model") as caught:
                atomic.write_whole("model", b"new")
            assert (caught.value.errno, caught.value.filename) == (error, "model")


def test_folders_devices_and_pipes_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for wrong, error in (
        (tmp_path, IsADirectoryError),
        (tmp_path / "pipe", OSError),
        ("/dev/null", OSError),
        (tmp_path / "none" / "model", FileNotFoundError),
        (tmp_path / "pipe" / "model", NotADirectoryError),
    ):
        with pytest.raises(error):
            atomic.write_whole(wrong, b"new")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode) and os.listdir(tmp_path) == ["pipe"]
    with pytest.raises(OSError, match="Not a regular file; open it and save to that"):
        atomic.write_whole("/dev/null", b"new")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only_says_so(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            atomic.write_whole(tmp_path / "model", b"new")
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_cannot_be_read_can_be_written_to(tmp_path, monkeypatch):
    real = os.open

    def of_another_user(path, flags, *mode):
        if path == str(tmp_path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, flags, *mode)

    monkeypatch.setattr(os, "open", of_another_user)
    atomic.write_whole(tmp_path / "model", b"new")
    assert (tmp_path / "model").read_bytes() == b"new"


def test_relative_paths_and_names_of_any_length(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("model", "m" * 255, 85 * "€", "\udcff", ".hidden", "[a]*"):
        atomic.write_whole(name, b"new")
        assert (tmp_path / name).read_bytes() == b"new"
    assert len(os.listdir(tmp_path)) == 6


def test_two_writers_at_once_leave_the_file_of_one(tmp_path):
    path = tmp_path / "model"
    contents = [bytes([n]) * 50_000 for n in range(4)]
    stop, errors = threading.Event(), []

    def write(data):
        try:
            for _ in range(30):
                atomic.write_whole(path, data)
        except BaseException as error:
            errors.append(error)

    def read():
        while not stop.is_set():
            if path.exists() and path.read_bytes() not in contents:
                errors.append("a mixture")

    writers = [threading.Thread(target=write, args=(data,)) for data in contents]
    reader = threading.Thread(target=read)
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert not errors and os.listdir(tmp_path) == ["model"]


def test_a_model_that_cannot_be_saved_leaves_the_file_of_before(tmp_path):
    model, path = MLP(3, epochs=1).fit([[0.0], [1.0]], [0, 1]), tmp_path / "model"
    model.save(path)
    before = path.read_bytes()
    model.hidden = "many"
    with pytest.raises(TypeError):
        model.save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["model"]


def test_errors_name_the_file_that_was_asked_for_and_no_temporary_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = MLP(4, epochs=1, random_state=0).fit([[0], [1]], [0, 1])
    (tmp_path / "file").write_bytes(b"")
    for path, error, words in (
        ("models/a.st", FileNotFoundError, r"The folder models does not exist: 'models/a.st'"),
        (tmp_path / "no" / "a", FileNotFoundError, f"The folder {tmp_path}/no does not exist"),
        ("file/a.st", NotADirectoryError, r"Not a directory: 'file/a.st'"),
        ("n" * 300, OSError, r"File name too long: 'n{300}'"),
        (".", IsADirectoryError, r"Is a directory: '\.'"),
    ):
        with pytest.raises(error, match=words) as caught:
            model.save(path)
        assert ".tmp" not in str(caught.value) and caught.value.filename == os.fspath(path)


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left on device: '.*model'"):
        atomic.write_whole(tmp_path / "model", b"new")
