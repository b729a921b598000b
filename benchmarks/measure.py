"""Running commands and collecting what they cost."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BETWEEN = """
import os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as file:
    file.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""A small process between: Linux counts the memory of the one that starts a program as the
program's own, and this one has Keras in it."""

_UNITS_A_MIB = 2**20 if sys.platform == "darwin" else 2**10


@dataclass(frozen=True)
class Cost:
    """What a command cost. Attributes: wall time in seconds; peak memory in MiB; its stdout."""

    seconds: float
    peak_mib: float
    output: str


def run(module: str, *arguments: str, folder: Path) -> Cost:
    """Run `python -m MODULE ARGUMENTS` in a folder and measure it as a whole.

    Raises:
        SystemExit: the command failed; what it printed is shown.
    """
    command = [sys.executable, "-m", module, *arguments]
    memory = folder / "memory"
    with (folder / "stdout").open("w+") as stdout, (folder / "stderr").open("w+") as stderr:
        start = time.perf_counter()
        code = subprocess.call(
            [sys.executable, "-S", "-c", _BETWEEN, str(memory), *command],
            cwd=folder,
            stdout=stdout,
            stderr=stderr,
            env=environment(),
        )
        seconds = time.perf_counter() - start
        stdout.seek(0)
        if code:
            stderr.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{stdout.read()}{stderr.read()}")
        return Cost(seconds, int(memory.read_text()) / _UNITS_A_MIB, stdout.read())


def environment() -> dict[str, str]:
    """Ours, with the folder of `benchmarks` on the path: commands run in another folder."""
    root = str(Path(__file__).resolve().parent.parent)
    return {**os.environ, "PYTHONPATH": root}


def run_classic(what: str, data: Path, folder: Path, **options: int) -> dict[str, Any]:
    """Time the classic recipe in a process of its own; its JSON line."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    output = run("benchmarks.classic", what, str(data), *flags, folder=folder).output
    return json.loads(output.splitlines()[-1])  # the generator has its say before
