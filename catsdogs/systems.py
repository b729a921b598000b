"""What differs between Linux, macOS and Windows: each difference once, as a function of its own.

Nothing else in the package asks which system it runs on, or uses what one of them lacks.
`tests/test_systems.py` looks for that, and puts the ways of the other systems in place of those
of the one that it runs on.
"""

import errno
import os
import re
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any, TextIO

fcntl: Any = None  # on Windows
with suppress(ImportError):
    fcntl = import_module("fcntl")

IS_WINDOWS = os.name == "nt"

# Processes and signals

STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)
"""What asks a program to end: Ctrl-C and, by other programs, SIGTERM; Windows sends SIGBREAK for
Ctrl-Break and for a console that is closed, and knows SIGTERM without ever sending it."""

KILL = getattr(signal, "SIGKILL", None)
"""The signal that no process can turn down; Windows ends processes without one."""

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux' prctl


def fork() -> int | None:
    """A copy of this process: 0 in it, its number in this one; None on Windows, which has none."""
    return os.fork() if hasattr(os, "fork") else None


def end_with_parent() -> None:
    """Have this process killed when its parent is. On Linux alone; elsewhere it goes on."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """Whether a process runs; on Windows always true, where to ask by a signal would end it."""
    if IS_WINDOWS:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


# The machine


def num_processors() -> int:
    """Processor cores to use: on Linux what a container or a scheduler left of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_load() -> float:
    """Processes that want a core, over the last minute; 0 on Windows, which does not count them."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def memory_bytes() -> int | None:
    """Memory of the machine; None on Windows, which has another way to ask."""
    if not hasattr(os, "sysconf"):
        return None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def give_back_memory() -> None:
    """Hand memory that was freed to the system, where the C library keeps it: Linux' glibc.

    Its threads' heaps are seldom freed from their ends: a service that loaded a model anew eight
    times had grown from 515 to 698 MiB, and with this to 535.
    """
    if sys.platform == "linux":
        import ctypes

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # others' libraries lack it
        if trim is not None:
            trim(0)


def cpuinfo() -> str:
    """What Linux says about the processor; empty on other systems."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def may_have_gpu() -> bool:
    """Whether there is a device that a backend may compute on; on Linux and in WSL alone.

    TensorFlow and JAX have GPUs nowhere else, and a backend that is imported is asked itself.
    """
    devices = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
    return any(os.path.exists(device) for device in devices)  # noqa: PTH110 - never raises


# Files and folders

_PATIENCE_SECONDS = 2.0
"""Virus scanners and search indexes have a new file open for less."""

_OPEN_ELSEWHERE = (5, 32, 33)
"""Windows' errors: access denied, which renaming over an open file gives; sharing violation; lock
violation."""

_SEEKING = threading.Lock()


def replace(source: Path, target: Path) -> None:
    """Rename a file over what may be there, which is one step on every system.

    Windows refuses it while another program has either of them open, as virus scanners have for
    a moment whatever is new: there it is tried again for two seconds.

    Raises:
        OSError: it cannot be done, or the file is open elsewhere.
    """
    _patiently(lambda: os.replace(source, target))  # noqa: PTH105 - as it says


def is_open_elsewhere(error: OSError) -> bool:
    """Whether a file was refused because some program has it open; on Windows alone."""
    return getattr(error, "winerror", None) in _OPEN_ELSEWHERE


def _patiently(act: Callable[[], None]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return act()
        except OSError as error:
            if not is_open_elsewhere(error):
                raise
            if time.monotonic() >= end:
                reason = "open in another program, or write-protected"
                raise PermissionError(errno.EACCES, reason) from None
        time.sleep(0.05)


def flush_to_disk(path: Path) -> None:
    """Have a file's content on the disk before anything else is.

    Windows flushes what is open for writing alone. On macOS the disk is asked to empty its own
    memory as well, where it can; Linux does so by itself.
    """
    with path.open("r+b" if IS_WINDOWS else "rb") as file:
        if hasattr(fcntl, "F_FULLFSYNC"):
            try:
                fcntl.fcntl(file.fileno(), fcntl.F_FULLFSYNC)
                return
            except OSError:  # a network drive
                pass
        os.fsync(file.fileno())


def lock_folder(folder: Path, exclusively: bool) -> int:
    """Keep a folder from other processes that ask for the same; a kill ends it as well.

    Linux and macOS lock the folder itself. Windows has no locks on folders: a byte of a hidden
    file in it is locked, and never by several at once, so that who asks not exclusively has it
    for that moment only. On network drives without locks, nothing is locked.

    Returns:
        A descriptor: closing it ends the lock.

    Raises:
        BlockingIOError: another process has it.
        OSError: the folder cannot be opened.
    """
    if fcntl is None:
        return _lock_file(folder / ".lock", exclusively)
    descriptor = os.open(folder, os.O_RDONLY)
    kind = fcntl.LOCK_EX if exclusively else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:  # there are no locks
        pass
    return descriptor


def _lock_file(path: Path, exclusively: bool) -> int:
    msvcrt: Any = import_module("msvcrt")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    end = time.monotonic() + _PATIENCE_SECONDS  # another may ask just now, not exclusively
    while True:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            break
        except OSError:
            if time.monotonic() >= end:
                os.close(descriptor)
                raise BlockingIOError(errno.EAGAIN, "another process has it") from None
            time.sleep(0.05)
    if not exclusively:
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    return descriptor


def read_at(file: int, num_bytes: int, start: int) -> bytes:
    """Bytes of an open file from a place on, fewer at its end; threads may read side by side.

    Windows has no such call, where they take turns.
    """
    if hasattr(os, "pread"):
        return os.pread(file, num_bytes, start)
    with _SEEKING:
        os.lseek(file, start, os.SEEK_SET)
        return os.read(file, num_bytes)


def bytes_on_disk(status: os.stat_result) -> int:
    """What a file takes of the disk; on Windows its length, holes included."""
    blocks = getattr(status, "st_blocks", None)
    return status.st_size if blocks is None else blocks * 512


def memory_file() -> IO[bytes] | None:
    """A file that lies in memory and needs no folder; None but on Linux."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("catsdogs"), "w+b")  # noqa: PTH123 - a descriptor
    return None


_NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}


def refuses_links(error: OSError) -> bool:
    r"""Whether a link was not made because links are not to be had.

    Some file systems have none. Windows gives them to administrators and developers alone, with
    an error number that means anything elsewhere.
    """
    return error.errno in _NO_LINKS or getattr(error, "winerror", None) is not None


def link_target(path: Path) -> str:
    r"""Where a link leads, as it was made; Windows puts `\\?\` in front of it."""
    target = os.readlink(path)  # noqa: PTH115 - Path's would change the spelling
    if target.startswith("\\\\?\\UNC\\"):
        return "\\" + target[7:]
    return target.removeprefix("\\\\?\\")


# Names

_REFUSED = re.compile(r'[\\/:*?"<>|\x00-\x1f]')
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(\..*)?", re.I)


def portable_name(name: str) -> str:
    r"""A name of a file or folder that every system takes, as near to this as can be; or empty.

    Windows refuses `\ / : * ? " < > |` and control characters, drops dots and spaces at the end,
    and keeps names for devices, such as CON, whatever suffix follows. Others refuse `/` alone.
    """
    name = _REFUSED.sub("_", name).rstrip(" .")
    device = _DEVICES.fullmatch(name)
    return f"{device[1]}_{name[device.end(1) :]}" if device else name


def leads_down(text: str) -> bool:
    r"""Whether a path from a table leads from a folder to what is in it, and cannot lead elsewhere.

    On Windows `\` separates as `/` does, and a name that it would not take as it is may be a
    drive, a stream of another file, or `..` in disguise.
    """
    parts = re.split(r"[/\\]" if IS_WINDOWS else "/", text)
    if "\0" in text or {"", ".", ".."} & set(parts):
        return False
    return not IS_WINDOWS or all(portable_name(part) == part for part in parts)


def decoded_path(path: bytes) -> str:
    """A path as a list has it. On Linux and macOS any bytes are one, on Windows UTF-8 is.

    What is none keeps its bytes, so that a message can show them.
    """
    try:
        return os.fsdecode(path)
    except UnicodeDecodeError:
        return path.decode("utf-8", "surrogateescape")


def shell_word(text: str) -> str:
    """A word of a command line as the user's shell takes it, in quotes where it has to be."""
    if IS_WINDOWS:  # whose shells know double quotes alone
        return f'"{text}"' if re.search(r"[^\w.=:\\/-]", text) else text
    return shlex.quote(text)


def is_windows_console(stream: TextIO | None) -> bool:
    """Whether a stream is a window of Windows, which takes any letter, but not as bytes."""
    return IS_WINDOWS and stream is not None and stream.isatty()
