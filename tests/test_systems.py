"""What differs between systems has one home, and the ways of the others are put in place here.

These tests take away from this system what another one lacks, or let a call answer as it does
there, and run the real code. They are no runs on Windows or macOS.
"""

import ast
import csv
import errno
import fcntl
import io
import os
import signal
import subprocess
import sys
import types
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

import catsdogs
from catsdogs import systems
from catsdogs.checking.decisions import read_decisions
from catsdogs.cli import process_options
from catsdogs.cli.streams import run_with_any_streams
from catsdogs.commands.explain import name_outputs
from catsdogs.data.contents import hash_content
from catsdogs.data.manifest import read_manifest
from catsdogs.data.photo_paths import read_path_list
from catsdogs.errors import ConfigError, DataError
from catsdogs.files import is_same, lies_in, replacing
from catsdogs.reporting.sorted_photos import SortedPhotos, undo_sorting
from catsdogs.run import create_run_dir, list_run_dirs
from tests.conftest import BLUISH, REDDISH
from tests.test_sorting import Answer

PACKAGE = Path(catsdogs.__file__).parent
SMALL = ["--set", "model.image_size=[32, 32]", "--set", "model.weights=random"]


def windows_error(number, code=errno.EACCES):
    """An error as Python has it there; 5 is access denied, 1314 is no right to do so."""
    error = OSError(code, "Access is denied")
    error.winerror = number
    return error


class Msvcrt(types.ModuleType):
    """Locks of a byte of a file, which belong to whoever opened it, as Windows has them."""

    LK_NBLCK, LK_UNLCK = fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_UN

    def locking(self, file, kind, num_bytes):
        try:
            fcntl.flock(file, kind)
        except BlockingIOError:
            raise PermissionError(errno.EACCES, "Permission denied") from None


class StatWithoutBlocks:
    def __init__(self, status):
        self._status = status

    def __getattr__(self, name):
        if name == "st_blocks":
            raise AttributeError(name)
        return getattr(self._status, name)


@pytest.fixture
def windows(monkeypatch):
    """Takes away what Windows lacks, and lets calls answer as they do there."""
    for name in ("fork", "pread", "sched_getaffinity", "sysconf", "getloadavg", "memfd_create"):
        monkeypatch.delattr(os, name)
    monkeypatch.setattr(systems, "IS_WINDOWS", True)
    monkeypatch.setattr(systems, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", Msvcrt("msvcrt"))
    fsync, rename, lstat = os.fsync, os.replace, Path.lstat
    scanned = set()

    def flush_what_is_written(file):
        if fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        fsync(file)

    def rename_what_is_closed(source, target):
        if source not in scanned:  # a virus scanner has it open for a moment
            scanned.add(source)
            raise windows_error(5)
        rename(source, target)

    def link(*arguments, **options):
        raise windows_error(1314, errno.EINVAL)

    monkeypatch.setattr(os, "fsync", flush_what_is_written)
    monkeypatch.setattr(os, "replace", rename_what_is_closed)
    monkeypatch.setattr(os, "symlink", link)
    monkeypatch.setattr(Path, "lstat", lambda path: StatWithoutBlocks(lstat(path)))
    return scanned


@pytest.fixture
def folder(class_folders, workplace):
    """The current folder, with photos in data/."""
    return workplace


@pytest.mark.slow
def test_all_commands_work_as_on_windows(folder, windows, call):
    call("train", *SMALL)
    call("train", *SMALL)
    first, second = (run.read_metrics().num_frozen for run in list_run_dirs(Path("runs")))
    assert first == 12
    assert second == 0  # all were kept
    assert "0.2 MiB in " in call("cache").stdout
    call("finetune", "--epochs", "1", "--set", "augment.views=1")
    call("evaluate", "data/validation")
    call("report")
    call("export", "page.html")
    call("explain", "data/validation/cats")
    call("next", "data/validation", "--count", "2", "--copy-to", "copies")
    assert len(list(Path("copies").rglob("*.png"))) == 2
    assert len(windows) > 10  # what was renamed over something at a second try

    said = call("predict", "data/validation", "--sort-into", "sorted").stderr
    assert "sorted takes no links: copies are made instead" in said
    assert len(list(Path("sorted").rglob("*.png"))) == 4
    call("predict", "--restore", "sorted")
    assert not Path("sorted").exists()

    bad = Path("data/train/cats/bad.png")
    bad.write_bytes(b"no picture")
    call("check", "data", "--quarantine", "moved", code=1)
    assert not bad.exists()
    call("check", "data", "--restore", "moved")
    assert bad.exists()


def test_package_is_imported_without_fcntl_and_with_one_processor_in_sight():
    code = (
        "import os, sys; sys.modules['fcntl'] = None; del os.sched_getaffinity;"
        "os.cpu_count = lambda: None; from catsdogs import systems, cli;"
        "print(systems.num_processors())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_machine_that_answers_no_question_is_unknown(windows):
    assert systems.memory_bytes() is None
    assert systems.processor_load() == 0
    assert systems.memory_file() is None
    assert systems.is_alive(2**22 + 1)  # nobody may be asked


# Files and folders


@pytest.mark.parametrize("locks", ["flock", "msvcrt", "none"])
def test_run_is_claimed_once_where_there_are_locks(tmp_path, locks, monkeypatch, request):
    if locks == "msvcrt":
        request.getfixturevalue("windows")
        monkeypatch.setattr(systems, "_PATIENCE_SECONDS", 0.1)
    if locks == "none":

        def flock(*arguments):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", flock)
    run = create_run_dir(tmp_path / "runs", "train")
    with run.claimed(exclusively=False):  # others may ask as well
        pass
    with run.claimed():
        for exclusively in (True, False):
            if locks == "none":
                with run.claimed(exclusively):
                    pass
                continue
            with pytest.raises(DataError) as caught, run.claimed(exclusively):
                pass
            assert str(caught.value) == (
                f"{run.path} is still running: wait for it, or stop it first"
            )
    with run.claimed():
        pass


def test_file_that_stays_open_elsewhere_is_one_line_and_whole(tmp_path, monkeypatch):
    def refuse(source, target):
        raise windows_error(32)

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(systems, "_PATIENCE_SECONDS", 0.1)
    path = tmp_path / "model.h5"
    path.write_text("old")
    with pytest.raises(DataError) as caught, replacing(path) as part:
        part.write_text("new")
    assert str(caught.value) == (
        f"{path} cannot be written (open in another program, or write-protected): "
        "choose another place"
    )
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_refusal_that_is_no_open_file_is_not_waited_for(tmp_path, monkeypatch):
    tries = []

    def refuse(source, target):
        tries.append(source)
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with (
        pytest.raises(DataError, match=r"\(permission denied\)"),
        replacing(tmp_path / "m") as part,
    ):
        part.write_text("new")
    assert len(tries) == 1


def test_mac_empties_the_memory_of_the_disk_where_it_can(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("new")
    asked = []
    mac = types.SimpleNamespace(F_FULLFSYNC=51, fcntl=lambda file, what: asked.append(what))
    monkeypatch.setattr(systems, "fcntl", mac)
    monkeypatch.setattr(os, "fsync", lambda file: asked.append("fsync"))
    systems.flush_to_disk(path)

    def refuse(file, what):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    mac.fcntl = refuse
    systems.flush_to_disk(path)
    assert asked == [51, "fsync"]


@pytest.mark.parametrize(
    ("made", "target"),
    [
        (r"\\?\C:\photos\a.jpg", r"C:\photos\a.jpg"),
        (r"\\?\UNC\server\photos\a.jpg", r"\\server\photos\a.jpg"),
        ("/photos/a.jpg", "/photos/a.jpg"),
    ],
)
def test_link_leads_where_it_was_made_to_lead(made, target, monkeypatch):
    monkeypatch.setattr(os, "readlink", lambda path: made)
    assert systems.link_target(Path("link")) == target


def test_links_of_windows_are_taken_away_again(tmp_path, make_photos, monkeypatch):
    (photo,) = make_photos(tmp_path / "photos", 1)
    SortedPhotos(tmp_path / "sorted", ["cats"], copies=False).place(Answer(photo))
    read = os.readlink
    monkeypatch.setattr(os, "readlink", lambda path: "\\\\?\\" + read(path))
    assert undo_sorting(tmp_path / "sorted") == (1, [])


def test_file_system_that_knows_a_folder_by_two_names(tmp_path, monkeypatch):
    (tmp_path / "photos" / "inner").mkdir(parents=True)
    inner, other = tmp_path / "PHOTOS" / "new", tmp_path / "photos2"
    assert not lies_in(inner, tmp_path / "photos")
    stat = os.stat
    monkeypatch.setattr(
        os, "stat", lambda path, **how: stat(str(path).replace("PHOTOS", "photos"), **how)
    )
    assert lies_in(inner, tmp_path / "photos")
    assert not lies_in(other, tmp_path / "photos")
    assert is_same(tmp_path / "PHOTOS", tmp_path / "photos")
    (tmp_path / "photos" / "cat.png").touch()
    with pytest.raises(ConfigError, match=r"is a photo and would be replaced"):
        name_outputs([tmp_path / "photos" / "cat.png"], tmp_path / "PHOTOS" / "cat.png")


@pytest.mark.slow
def test_store_that_is_open_elsewhere_stays_whole(folder, call, monkeypatch):
    call("train", *SMALL)
    unlink = Path.unlink

    def refuse(path, **options):
        if path.name == "data.mdb":
            raise windows_error(32)
        unlink(path, **options)

    before = sorted(Path("cache").rglob("*"))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        assert "another program has it open" in call("cache", "--clear", code=1).stderr
    assert sorted(Path("cache").rglob("*")) == before
    call("cache", "--clear")
    assert not list(Path("cache").rglob("*.mdb"))


# Names and paths


@pytest.mark.parametrize(
    ("name", "portable"),
    [
        ("cats", "cats"),
        ("Katzen, große.JPG", "Katzen, große.JPG"),
        ("a:b", "a_b"),
        ('what? "this" <or> that*|\\/', "what_ _this_ _or_ that____"),
        ("new\nline", "new_line"),
        ("trailing. .", "trailing"),
        ("..", ""),
        ("CON", "CON_"),
        ("nul.tar.gz", "nul_.tar.gz"),
        ("Lpt9 .txt", "Lpt9_ .txt"),
        ("com¹", "com¹_"),
        ("conout$", "conout$_"),
        ("comma", "comma"),
        (".hidden", ".hidden"),
    ],
)
def test_portable_name_is_one_that_windows_takes(name, portable):
    assert systems.portable_name(name) == portable
    assert systems.portable_name(portable) == portable


@pytest.mark.parametrize(
    ("path", "here", "on_windows"),
    [
        ("cats/a.jpg", True, True),
        ("../a.jpg", False, False),
        ("/a.jpg", False, False),
        ("cats//a.jpg", False, False),
        ("cats/a\0.jpg", False, False),
        (r"cats\..\..\a.jpg", True, False),
        ("C:/a.jpg", True, False),
        ("cats/a.jpg:hidden", True, False),
        (".. /a.jpg", True, False),
        ("cats/nul", True, False),
    ],
)
def test_path_of_a_table_leads_down_on_each_system(path, here, on_windows, monkeypatch):
    assert systems.leads_down(path) is here
    monkeypatch.setattr(systems, "IS_WINDOWS", True)
    assert systems.leads_down(path) is on_windows


def test_manifest_written_on_windows_is_read_here(class_folders):
    path = class_folders / "photos.csv"
    path.write_bytes(
        b"path,label\r\ntrain\\cats\\1_000.png,cats\r\ntrain\\dogs\\2_000.png,dogs\r\n"
    )
    rows = read_manifest(path).rows
    assert [row.path.relative_to(class_folders).as_posix() for row in rows] == [
        "train/cats/1_000.png",
        "train/dogs/2_000.png",
    ]


def test_names_with_accents_taken_apart_are_found(tmp_path, make_photos):
    name = "Bébé"
    for there, said in (("NFD", "NFC"), ("NFC", "NFD")):
        (photo,) = make_photos(tmp_path / there / unicodedata.normalize(there, name), 1)
        table = tmp_path / there / "photos.csv"
        relative = photo.relative_to(table.parent).as_posix()
        table.write_text(f"path,label\n{unicodedata.normalize(said, relative)},x\n", "utf-8")
        assert [row.path for row in read_manifest(table).rows] == [photo]


@pytest.mark.parametrize("path", [r"train\cats\1_000.png", r"data\train\cats\1_000.png"])
def test_decisions_of_windows_are_carried_out_here(folder, path):
    photo = Path("data/train/cats/1_000.png")
    content = hash_content(photo.read_bytes()).hex()
    Path("d.csv").write_text(f"path,decision,class,content\n{path},leave_out,,{content}\n", "utf-8")
    (request,) = read_decisions(Path("d.csv"), Path("data")).requests
    assert request.path == photo


@pytest.mark.parametrize("path", [r"..\out.png", r"train\..\..\out.png"])
def test_decisions_of_windows_lead_nowhere_else(folder, path):
    Path("out.png").write_bytes(b"x")
    Path("d.csv").write_text(f"path,decision,class,content\n{path},leave_out,,\n", "utf-8")
    with pytest.raises(DataError, match="lies outside of data"):
        read_decisions(Path("d.csv"), Path("data"))


def test_quarantine_of_windows_is_refused_in_one_line(folder, call):
    Path("moved").mkdir()
    row = [r"C:\data\cats\a.png", "cats/a.png", "damaged", r"C:\data"]
    with Path("moved/manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["from", "to", "reason", "data"], row])
    assert call("check", "data", "--restore", "moved", code=1).stderr == (
        "error: moved/manifest.csv is damaged (C:\\data is no whole path on this system): "
        "expected the columns from, to, reason, data\n"
    )


def test_photos_on_another_drive_are_listed_with_their_whole_path(folder, call, monkeypatch):
    def relpath(path, start=None):
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", relpath)
    lines = call("manifest", "data").stdout.splitlines()
    assert lines[1].startswith(f"{folder.as_posix()}/data/train/cats/1_000.png,cats")


def test_list_of_paths_in_another_encoding_names_what_is_not_there(monkeypatch):
    monkeypatch.setattr(os, "fsdecode", lambda path: path.decode("utf-8", "surrogatepass"))
    assert list(read_path_list(io.BytesIO(b"caf\xe9.jpg\r\na.jpg\r\n"))) == [
        "caf\udce9.jpg",
        "a.jpg",
    ]


@pytest.mark.slow
def test_next_photos_of_the_same_name_are_all_copied(folder, make_model, call):
    """As of a case-insensitive disk, so of a CSV: two photos never become one."""
    make_model(Path("m.h5"))
    Path("list.csv").write_text("path\ndata/train/cats/1_000.png\nother/1_000.png\n", "utf-8")
    Path("other").mkdir()
    Image.new("RGB", (30, 30), BLUISH).save("other/1_000.png")
    call("next", "list.csv", "--model", "m.h5", "--copy-to", "copies")
    assert sorted(path.name for path in Path("copies").iterdir()) == ["1_000-2.png", "1_000.png"]


@pytest.mark.parametrize(
    ("word", "here", "on_windows"),
    [
        ("run.dir=runs", "run.dir=runs", "run.dir=runs"),
        ("run.dir=my runs", "'run.dir=my runs'", '"run.dir=my runs"'),
        ("catsdogs[heic]", "'catsdogs[heic]'", '"catsdogs[heic]"'),
        (r"run.dir=C:\runs", r"'run.dir=C:\runs'", r"run.dir=C:\runs"),
    ],
)
def test_printed_command_is_quoted_for_the_shell(word, here, on_windows, monkeypatch):
    assert systems.shell_word(word) == here
    monkeypatch.setattr(systems, "IS_WINDOWS", True)
    assert systems.shell_word(word) == on_windows


# Processes, signals and streams


def test_process_that_cannot_be_copied_goes_on_by_itself(monkeypatch):
    before = sys.stdout, sys.stderr, sys.excepthook, signal.getsignal(signal.SIGINT)
    monkeypatch.delattr(os, "fork")
    assert process_options._watch_a_child(None) is None
    assert (sys.stdout, sys.stderr, sys.excepthook, signal.getsignal(signal.SIGINT)) == before


def test_closed_console_of_windows_ends_a_command_with_one_line():
    code = (
        "import os, signal; signal.SIGBREAK = signal.SIGUSR1;"
        "import catsdogs.__main__ as program, catsdogs.cli;"
        "catsdogs.cli.main = lambda: os.kill(os.getpid(), signal.SIGBREAK);"
        "program.run()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 128 + signal.SIGUSR1
    assert done.stderr == "stopped: nothing that was saved before has changed\n"


def test_console_of_windows_is_written_to_as_text(monkeypatch):
    class Window(io.StringIO):
        def isatty(self):
            return True

    windows = Window(), Window()
    monkeypatch.setattr(systems, "IS_WINDOWS", True)
    monkeypatch.setattr(sys, "stdout", windows[0])
    monkeypatch.setattr(sys, "stderr", windows[1])
    with pytest.raises(SystemExit):
        run_with_any_streams(lambda: print("猫"))
    assert windows[0].getvalue() == "猫\n"


@pytest.mark.slow
def test_output_in_an_old_encoding_is_no_traceback(tmp_path, make_photos):
    make_photos(tmp_path / "data" / "train" / "猫 → é", 4, 1, REDDISH)
    make_photos(tmp_path / "data" / "train" / "dogs", 4, 2, BLUISH)
    environment = {
        **os.environ,
        "PYTHONIOENCODING": "cp1252",
        "PYTHONUTF8": "0",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(PACKAGE.parent),
    }

    def run(*arguments, code=0):
        command = [sys.executable, "-X", "warn_default_encoding", "-m", "catsdogs", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True)
        said = done.stdout.decode("cp1252") + done.stderr.decode("cp1252")
        assert done.returncode == code, said
        assert str(PACKAGE) not in said, said  # neither tracebacks nor warnings of encodings
        return said

    for command in ([], ["train"], ["check"]):
        run(*command, "--help")
    assert r"4 \u732b \u2192 é" in run("check", "data", code=1)
    run("train", *SMALL)
    assert r"\u732b \u2192 é" in run("evaluate", "data/train")
    assert r"\u732b \u2192 é" in run("predict", "data/train")
    run("report")


# One home


_ASKING = {
    "os": {"name", "fork", "pread", "sched_getaffinity", "sysconf", "getloadavg", "memfd_create"}
    | {"kill", "killpg", "getuid", "geteuid", "readlink", "fsync", "uname", "replace", "rename"},
    "sys": {"platform", "getwindowsversion"},
    "signal": {"SIGKILL", "SIGHUP", "SIGBREAK", "SIGUSR1", "alarm", "setitimer", "pthread_kill"},
    "shlex": {"quote", "join"},
}
_MODULES = {"fcntl", "msvcrt", "resource", "pwd", "grp", "termios", "winreg", "multiprocessing"}


def asked_of_the_system(tree):
    """What in a module works on one system and not, or otherwise, on another."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ast.Name(module), name) if name in _ASKING.get(module, ()):
                yield f"{module}.{name}"
            case ast.Attribute(attr="st_blocks" | "symlink_to" | "readlink" as name):
                yield name
            case ast.Call(func=ast.Attribute(ast.Name("part" | "path" | "source"), "replace")):
                yield "Path.replace"
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name in _MODULES)
            case ast.ImportFrom(module=module) if module in _MODULES:
                yield module
            case ast.Constant(value=str(text)) if text.startswith(("/proc/", "/dev/", "/sys/")):
                yield text


def test_what_differs_between_systems_has_one_home():
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if asked := set(asked_of_the_system(ast.parse(path.read_text(encoding="utf-8")))):
            found[path.relative_to(PACKAGE).as_posix()] = asked
    assert len(found.pop("systems.py")) > 10
    assert found == {
        # a signal to a process of our own, where there is fork; links, where they can be made
        "cli/process_options.py": {"os.kill"},
        "reporting/sorted_photos.py": {"symlink_to"},
    }


def test_text_files_are_opened_in_a_named_encoding():
    unnamed = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="read_text" | "write_text"), args=arguments):
                    is_text = True
                    is_named = len(arguments) == (2 if node.func.attr == "write_text" else 1)
                case ast.Call(
                    func=ast.Attribute(attr="open"), args=[ast.Constant(value=str(mode))]
                ):
                    is_text, is_named = set(mode) <= set("rwax+"), False
                case _:
                    continue
            named = {keyword.arg for keyword in node.keywords}
            if is_text and not is_named and "encoding" not in named:
                unnamed.append(f"{path.relative_to(PACKAGE)}: {ast.unparse(node)}")
    assert unnamed == []
