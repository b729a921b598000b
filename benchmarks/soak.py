"""`serve` for ten minutes among good and hostile requests: answers stay right, memory stays flat.

python -m benchmarks.soak models/catsdogs.h5 data/validation [--minutes 10]
"""

import http.client
import io
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socket import create_connection

import click
from PIL import Image

from benchmarks.measure import environment
from catsdogs.data.walking import list_photos

_CLIENTS = 6
_NUM_PHOTOS = 40
_PORT = 8765

Send = Callable[[random.Random, bytes], tuple[int, bytes]]
"""Sends one request, given a photo's bytes; gives status (0: the connection was cut) and body."""


def _post(body: bytes, path: str = "/predict", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", _PORT, timeout=120)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path, body, {"Content-Type": "image/jpeg", **named})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _form(parts: list[bytes], name: bytes = b"a.jpg") -> tuple[int, bytes]:
    head = b'--x\r\nContent-Disposition: form-data; name="photos"; filename="' + name + b'"\r\n\r\n'
    body = b"".join(head + part + b"\r\n" for part in parts) + b"--x--\r\n"
    return _post(body, Content_Type="multipart/form-data; boundary=x")


def _cut_off(photo: bytes, promised: int) -> tuple[int, bytes]:
    """Promises a body and goes away in the middle of it."""
    with create_connection(("127.0.0.1", _PORT)) as line:
        line.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % promised
        )
        line.sendall(photo)
    return 0, b""


def _raw(request: bytes) -> tuple[int, bytes]:
    with create_connection(("127.0.0.1", _PORT), timeout=30) as line:
        line.sendall(request)
        with suppress(OSError):
            return 0, line.recv(4096)
    return 0, b""


def _bomb() -> bytes:
    """A PNG of a few kilobytes that claims 60,000 x 60,000 pixels."""
    header = (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(10**6))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        for kind, data in chunks
    )


def _large(photo: bytes) -> bytes:
    """An honest photo of 24 megapixels."""
    with Image.open(io.BytesIO(photo)) as image:
        buffer = io.BytesIO()
        image.convert("RGB").resize((6000, 4000)).save(buffer, "JPEG")
    return buffer.getvalue()


HOSTILE: dict[str, Send] = {
    "an empty body": lambda _, __: _post(b""),
    "noise": lambda draw, _: _post(draw.randbytes(draw.randrange(1, 50_000))),
    "a photo cut short": lambda draw, photo: _post(photo[: draw.randrange(1, len(photo))]),
    "a photo with turned bytes": lambda draw, photo: _post(_turned(draw, photo)),
    "60,000 x 60,000 pixels in a kilobyte": lambda _, __: _post(_bomb()),
    "24 megapixels": lambda _, photo: _post(_large(photo)),
    "another Host": lambda _, photo: _post(photo, Host="evil.example"),
    "an unknown model": lambda _, photo: _post(photo, "/predict?model=..%2F..%2Fetc%2Fpasswd"),
    "64 photos in a form": lambda _, photo: _form([photo] * 64),
    "too many photos in a form": lambda _, photo: _form([photo] * 100),
    "a form of noise": lambda draw, _: _post(
        draw.randbytes(5000), Content_Type="multipart/form-data; boundary=x"
    ),
    "a file name of nonsense": lambda draw, photo: _form([photo], draw.randbytes(2000)),
    "70 MiB": lambda _, __: _post(bytes(70 * 2**20)),
    "a body that does not come": lambda _, photo: _cut_off(photo[:100], 10**6),
    "a client that goes away": lambda _, photo: _cut_off(photo, len(photo)),
    "no HTTP": lambda draw, _: _raw(draw.randbytes(500) + b"\r\n\r\n"),
    "a large header": lambda _, __: _raw(b"GET / HTTP/1.1\r\nHost: " + b"a" * 200_000),
    "a page": lambda _, __: _raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
}
"""What strangers send; every one is answered in JSON with a status under 500, or not at all."""


def _turned(draw: random.Random, photo: bytes) -> bytes:
    content = bytearray(photo)
    for _ in range(20):
        content[draw.randrange(len(content))] = draw.randrange(256)
    return bytes(content)


class _Client(threading.Thread):
    """Sends by chance one good request or a hostile one, until it is told to stop."""

    def __init__(self, seed: int, photos: list[bytes], expected: list[bytes]) -> None:
        super().__init__()
        self.draw = random.Random(seed)
        self.photos, self.expected = photos, expected
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.faults: list[str] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.is_set():
            index = self.draw.randrange(len(self.photos))
            photo = self.photos[index]
            kind = "good" if self.draw.random() < 0.7 else self.draw.choice(list(HOSTILE))
            try:
                if kind == "good":
                    status, body = _post(photo)
                    if status not in (200, 503) or (status == 200 and body != self.expected[index]):
                        self.faults.append(f"good photo {index}: {status} {body[:200]!r}")
                else:
                    status, body = HOSTILE[kind](self.draw, photo)
                    if status in (500, 501, 502) or b"Traceback" in body:
                        self.faults.append(f"{kind}: {status} {body[:200]!r}")
            except (OSError, http.client.HTTPException):
                status = 0  # it closed the connection: as it may on what is no photo
                if kind == "good":
                    self.faults.append(f"good photo {index}: no answer")
            self.statuses[kind, status] += 1


@click.command()
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--minutes", default=10.0, show_default=True)
def main(model: Path, folder: Path, minutes: float) -> None:
    """Serve a model, let clients loose on it, then kill it and start it again."""
    photos = [path.read_bytes() for path in list_photos(folder)[:_NUM_PHOTOS]]
    with _start(model) as server:
        expected = [_post(photo)[1] for photo in photos]
        clients = [_Client(seed, photos, expected) for seed in range(_CLIENTS)]
        for client in clients:
            client.start()
        memory: list[float] = []
        end = time.monotonic() + minutes * 60
        while time.monotonic() < end and server.poll() is None:
            time.sleep(1)
            memory.append(_resident_mib(server.pid))
        for client in clients:
            client.stopped.set()
        for client in clients:
            client.join()
        alive = server.poll() is None
        server.send_signal(signal.SIGKILL)
    with _start(model) as server:
        again = [_post(photo)[1] for photo in photos]
        server.terminate()
    _report(clients, memory, alive, again == expected)


def _report(clients: list[_Client], memory: list[float], alive: bool, same: bool) -> None:
    statuses = sum((client.statuses for client in clients), Counter[tuple[str, int]]())
    for (kind, status), count in sorted(statuses.items()):
        click.echo(f"{count:8,}  {status or 'cut':>4}  {kind}")
    each = max(1, len(memory) // 10)
    parts = [statistics.median(memory[at : at + each]) for at in range(0, len(memory), each)]
    click.echo(f"memory, MiB, median of each tenth: {', '.join(f'{part:.0f}' for part in parts)}")
    click.echo(f"highest: {max(memory):.0f} MiB")
    click.echo(f"killed and started again: {'the same answers' if same else 'OTHER ANSWERS'}")
    faults = [fault for client in clients for fault in client.faults]
    click.echo(json.dumps(faults[:20], indent=1) if faults else "no fault")
    sys.exit(0 if alive and same and not faults else 1)


def _start(model: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "catsdogs", "serve", str(model), f"--port={_PORT}"]
    process = subprocess.Popen(command, env=environment())
    while process.poll() is None:
        with suppress(OSError):
            create_connection(("127.0.0.1", _PORT)).close()
            return process
        time.sleep(0.1)
    sys.exit("serve does not start")


def _resident_mib(pid: int) -> float:
    with suppress(OSError, ValueError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return 0.0


if __name__ == "__main__":
    main()
