"""The JavaScript lines of docs/export.md, as they stand there, in Chromium."""

import base64
import functools
import http.server
import json
import os
import re
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.chromium import NEEDS_BROWSER

ROOT = Path(__file__).parent.parent
RUNTIME = Path(
    os.environ.get("CATSDOGS_ONNXRUNTIME_WEB", ROOT / "node_modules" / "onnxruntime-web" / "dist")
)
RUNTIME_FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""`npm install onnxruntime-web` brings them, 15 MB: too much to keep here for one test."""

LINES = re.search(
    r"## JavaScript, .*?```javascript\n(.*?)```",
    (ROOT / "docs" / "export.md").read_text(encoding="utf-8"),
    re.DOTALL,
)[1]

ANSWER = """
const [bytes, done] = arguments;
const file = new File([Uint8Array.from(atob(bytes), c => c.charCodeAt(0))], "image.png");
(async () => {
  LINES
  return [...probabilities.data];
})().then(done, error => done(String(error)));
"""

RECORDER = """
window.ort = {
  Tensor: class { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } },
  InferenceSession: { create: async name => ({ run: async ({ images }) => {
    window.handedOver = [name, images.type, images.dims, [...images.data]];
    return { probabilities: { data: [0.25, 0.75] } };
  } }) },
};
"""

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with smooth photos and an empty page."""
    folder = tmp_path_factory.mktemp("javascript")
    for name in ("data/validation/cats/1.png", "data/validation/dogs/1.png", "image.png"):
        noise = np.random.default_rng(len(name)).integers(0, 256, (3, 4, 3)).astype(np.uint8)
        photo = Image.fromarray(noise).resize((50, 70), Image.Resampling.BICUBIC)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        photo.save(folder / name)
    (folder / "index.html").write_text("<!doctype html><title>test</title>")
    return folder


@pytest.fixture(scope="module")
def page(browser, folder):
    """The page, from a server, as a browser wants it for modules."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.get(f"http://127.0.0.1:{server.server_port}/index.html")
        browser.set_script_timeout(300)
        yield browser
        server.shutdown()


def answer(page, folder):
    photo = base64.b64encode((folder / "image.png").read_bytes()).decode()
    return page.execute_async_script(ANSWER.replace("LINES", LINES), photo)


def test_lines_hand_the_photo_over_as_it_is(page, folder):
    page.execute_script(RECORDER)
    assert answer(page, folder) == [0.25, 0.75]
    name, kind, shape, values = page.execute_script("return handedOver")
    assert (name, kind, shape) == ("mine.onnx", "uint8", [1, 70, 50, 3])
    pixels = np.asarray(Image.open(folder / "image.png"))
    np.testing.assert_array_equal(np.array(values).reshape(70, 50, 3), pixels)


@pytest.mark.skipif(
    not all((RUNTIME / name).is_file() for name in RUNTIME_FILES),
    reason="needs `npm install onnxruntime-web`, or CATSDOGS_ONNXRUNTIME_WEB",
)
def test_lines_answer_as_predict_in_onnx_runtime_web(page, folder, unsure_model, call, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(folder)
    call("export", "mine.onnx", "--model", unsure_model, "--data", "data")
    for name in RUNTIME_FILES:
        shutil.copy(RUNTIME / name, folder)
    page.execute_async_script(
        "const done = arguments[0], script = document.createElement('script');"
        "delete window.ort; script.src = 'ort.wasm.min.js'; script.onload = () => done();"
        "document.head.append(script)"
    )
    found = answer(page, folder)
    told = call("predict", "image.png", "--model", unsure_model, "--format", "json")
    probabilities = json.loads(told.stdout)[0]["probabilities"]
    assert found == pytest.approx([probabilities[name] for name in ("cats", "dogs")], abs=0.02)
