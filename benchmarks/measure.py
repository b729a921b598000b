"""Running commands and collecting what they cost."""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
    with (folder / "stdout").open("w+") as stdout, (folder / "stderr").open("w+") as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdout=stdout, stderr=stderr, env=environment()
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        stdout.seek(0)
        if process.returncode:
            stderr.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{stdout.read()}{stderr.read()}")
        return Cost(seconds, _peak_mib(usage), stdout.read())


def environment() -> dict[str, str]:
    """Ours, with the folder of `benchmarks` on the path: commands run in another folder."""
    root = str(Path(__file__).resolve().parent.parent)
    return {**os.environ, "PYTHONPATH": root}


def _peak_mib(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def run_classic(what: str, data: Path, folder: Path, **options: int) -> dict[str, Any]:
    """Time the classic recipe in a process of its own; its JSON line."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    output = run("benchmarks.classic", what, str(data), *flags, folder=folder).output
    return json.loads(output.splitlines()[-1])  # the generator has its say before
