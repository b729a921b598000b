"""`serve` under load: photos a second and waiting times, against `predict` from the same files."""

import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import create_connection, socket

from benchmarks.measure import environment, run
from benchmarks.settings import Row, Settings
from catsdogs.data.walking import list_photos

_NUM_PHOTOS = 40
_CLIENTS = (1, 8, 64)
_SECONDS = 15

_SCRIPT = """
local files = {{ {names} }}
local bodies = {{}}
for index, name in ipairs(files) do
  local file = io.open(name, "rb")
  bodies[index] = file:read("*a")
  file:close()
end
local turn = 0
request = function()
  turn = turn % #bodies + 1
  return wrk.format("POST", "/predict", {{["Content-Type"] = "image/jpeg"}}, bodies[turn])
end
"""
"""For wrk: each request is the next photo."""


def serving(settings: Settings) -> list[Row]:
    """Requests of one photo each from 1, 8 and 64 clients; each photo is decoded and answered.

    Asks by `wrk`, which takes a share of the same cores. Compared with is the rate of `predict`
    with one model on the same photos, its start taken off: two runs of different length.
    """
    if shutil.which("wrk") is None:
        return [Row("serve under load", "wrk is not installed")]
    photos = [str(path) for path in list_photos(settings.data / "validation")[:_NUM_PHOTOS]]
    script = settings.work / "photos.lua"
    script.write_text(_SCRIPT.format(names=", ".join(f'"{name}"' for name in photos)))
    model = settings.work / "models" / "catsdogs.h5"
    if not model.exists():
        arguments = ["--subsample=20", "--epochs=1", *settings.flags]
        run("catsdogs", "train", *arguments, folder=settings.work)
    rows = []
    with serve(model) as url:
        _wrk(url, script, 8, 3)  # threads are started, memory is taken
        measured: dict[int, list[tuple[float, float, float, float]]] = {}
        for _ in range(settings.repeats):
            bare = _bare_rate(settings)
            for clients in _CLIENTS:
                found = _wrk(url, script, clients, _SECONDS)
                measured.setdefault(clients, []).append((*found, bare))
    for clients, values in measured.items():
        rate, half, most, bare = (statistics.median(column) for column in zip(*values, strict=True))
        rows.append(
            Row(
                f"serve, {clients} client{'s' if clients > 1 else ''}",
                f"{rate:.1f} photos/s, 50% within {half * 1000:.0f} ms, 99% {most * 1000:.0f} ms",
                f"{bare:.1f} photos/s by predict",
                statistics.median(value[0] / value[3] for value in values),
            )
        )
    return rows


@contextmanager
def serve(*arguments: str | Path) -> Iterator[str]:
    """`catsdogs serve` on a free port, until the block ends; gives its address."""
    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "catsdogs", "serve", *map(str, arguments), f"--port={port}"]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL) as process:
        try:
            while process.poll() is None:
                try:
                    create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _bare_rate(settings: Settings) -> float:
    """Photos a second of `predict`, from files to answers, without its start."""
    folder = settings.data / "validation"
    count = len(list_photos(folder))
    photos = [str(path) for path in list_photos(folder)]
    few = max(1, count // 8)
    # the engine of many and of few photos is not the same everywhere: all are asked for as few
    seconds = [
        run("catsdogs", "predict", "--engine=ncnn", *some, folder=settings.work).seconds
        for some in (photos, photos[:few])
    ]
    return (count - few) / (seconds[0] - seconds[1])


def _wrk(url: str, script: Path, clients: int, seconds: int) -> tuple[float, float, float]:
    """Requests a second, and the 50th and 99th percentile of waiting, in seconds.

    Raises:
        SystemExit: requests failed.
    """
    options = [f"-t{min(clients, 2)}", f"-c{clients}", f"-d{seconds}s", "--timeout=60s"]
    text = subprocess.run(
        ["wrk", *options, "--latency", "-s", str(script), url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if failed := re.search(r"Non-2xx.*|Socket errors.*", text):
        sys.exit(f"{clients} clients: {failed[0]}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    half, most = (re.search(rf"{part}%\s+([\d.]+)(us|ms|s|m)\b", text) for part in (50, 99))
    if rate is None or half is None or most is None:
        sys.exit(f"wrk says something else than it did:\n{text}")
    units = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
    return (
        float(rate[1]),
        float(half[1]) * units[half[2]],
        float(most[1]) * units[most[2]],
    )
