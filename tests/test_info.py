"""`catsdogs info`: what is here, what is missing and how to get it, without importing Keras."""

import importlib.util
import os
import subprocess
import sys

from catsdogs.commands import info as command
from catsdogs.commands.info import info
from catsdogs.network.backbones import get_backbone


def test_keras_and_its_backend_stay_out_where_there_is_no_gpu_to_ask_for():
    code = (
        "import sys; from click.testing import CliRunner; from catsdogs.cli import main;"
        "r = CliRunner().invoke(main, ['info']); assert r.exit_code == 0, r.output;"
        "print([m for m in ('keras', 'tensorflow', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_what_is_not_installed_is_named_with_the_line_that_installs_it(monkeypatch):
    there = importlib.util.find_spec
    away = {"onnx", "onnxruntime", "ai_edge_litert", "fastapi", "uvicorn", "python_multipart"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in away else there(name)
    )
    facts = info()
    assert facts["exports"] == (
        "saved_model, html; the others need `pip install 'catsdogs[export]'`"
    )
    assert facts["service"] == (
        "needs fastapi and uvicorn and python_multipart: run `pip install 'catsdogs[serve]'`"
    )


def test_other_networks_whose_weights_are_here_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    names, _, rest = info()["other weights"].partition(" on this machine; ")
    assert rest == "`catsdogs backbones` lists all"
    assert "convnext_tiny" not in names.split(", ")
    there = get_backbone("convnext_tiny").file.path
    there.parent.mkdir()
    there.write_bytes(b"")
    assert "convnext_tiny" in info()["other weights"].partition(" on this")[0].split(", ")


def test_a_busy_machine_is_called_busy(monkeypatch):
    monkeypatch.setattr(command, "num_decode_threads", lambda configured: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (7.2, 0.1, 0.1), raising=False)
    assert info()["slow here"].endswith("7 processes want 2 cores: measure when it is idle")
    monkeypatch.setattr(os, "getloadavg", lambda: (1.2, 9.1, 9.1), raising=False)
    assert "processes want" not in info().get("slow here", "")
