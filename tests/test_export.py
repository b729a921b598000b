"""`catsdogs export`: the file answers as `predict` does, or there is no file."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from catsdogs.cli import main
from catsdogs.errors import ExportError
from catsdogs.exporting.self_check import SelfCheck, refuse_if_other

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory, unsure_model):
    """A folder with a model of 32 px and photos of its classes."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "models").mkdir()
    shutil.copy(unsure_model, folder / "models" / "catsdogs.h5")
    generator = np.random.default_rng(0)
    for split in ("train", "validation"):
        for name in ("cats", "dogs"):
            (folder / "data" / split / name).mkdir(parents=True)
            for number in range(3):
                corner = generator.integers(0, 256, (3, 4, 3)).astype(np.uint8)
                photo = Image.fromarray(corner).resize((48, 40), Image.Resampling.BICUBIC)
                photo.save(folder / "data" / split / name / f"{number}.png")
    return folder


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mine.onnx", []),
        ("fixed.onnx", ["--no-resize"]),
        ("half.onnx", ["--precision", "float16"]),
        ("mine.html", []),
        ("small.html", ["--precision", "int8"]),
    ],
)
def test_what_was_written_answers_as_the_model(trained, tmp_path, name, options):
    pytest.importorskip("onnxruntime")
    model, data = trained / "models/catsdogs.h5", trained / "data"
    output = tmp_path / name
    result = run("export", output, "--model", model, "--data", data, *options)
    assert result.exit_code == 0, result.output
    assert output.stat().st_size > 10_000
    assert f"saved {output}: {output.suffix[1:]}" in result.stdout
    assert "the same class for" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mine.tflite", "saved"])
def test_what_tensorflow_writes_answers_as_the_model(trained, tmp_path, name):
    pytest.importorskip("ai_edge_litert")
    model, data = trained / "models/catsdogs.h5", trained / "data"
    result = run("export", tmp_path / name, "--model", model, "--data", data)
    assert result.exit_code == 0, result.output
    if name.endswith("tflite"):
        names = (tmp_path / "mine.labels.txt").read_text().splitlines()
        assert names == ["cats", "dogs"]


def test_onnx_file_alone_answers_as_predict(trained, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    output = tmp_path / "mine.onnx"
    model = trained / "models/catsdogs.h5"
    assert run("export", output, "--model", model, "--data", trained / "data").exit_code == 0
    photo = next((trained / "data/validation").rglob("*.png"))
    answers = run("predict", photo, "--model", model, "--format", "json", "--precision", "float32")
    expected = json.loads(answers.stdout)[0]["probabilities"]
    session = onnxruntime.InferenceSession(output)
    names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
    pixels = np.asarray(Image.open(photo).convert("RGB"))
    row = session.run(None, {"images": pixels[None]})[0][0]
    for name, probability in zip(names, row, strict=True):
        assert expected[name] == pytest.approx(probability, abs=0.02)


def test_unknown_ending_is_one_line(trained, tmp_path):
    result = run("export", tmp_path / "mine.xyz", "--model", trained / "models/catsdogs.h5")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {tmp_path}/mine.xyz has no ending that tells a format")


def test_folder_that_is_no_saved_model_is_left_alone(trained, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    result = run("export", tmp_path / "mine", "--model", trained / "models/catsdogs.h5")
    assert result.exit_code == 1
    assert "is there and is no SavedModel" in result.stderr
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_file_that_answers_otherwise_is_refused():
    other = SelfCheck(40, 39, 0.4, "a.jpg", 0.02)
    with pytest.raises(ExportError, match=r"on a\.jpg by 0\.400 .*the same class for 39 of 40"):
        refuse_if_other(other, "float32", resizes=True)
    refuse_if_other(other, "int8", resizes=True)


def test_old_file_stays_where_the_new_one_fails(trained, tmp_path):
    output = tmp_path / "mine.onnx"
    output.write_bytes(b"old")
    result = run("export", output, "--model", trained / "models/catsdogs.h5", "--data", "nowhere")
    assert result.exit_code == 1
    assert output.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.onnx"]


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("onnxruntime", "mine.onnx"),
        pytest.param("ai_edge_litert", "mine.tflite", marks=pytest.mark.slow),
    ],
)
def test_python_lines_of_the_documentation_answer(
    trained, tmp_path, monkeypatch, capsys, package, name
):
    pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained / "models", "models")
    assert run("export", name, "--data", trained / "data").exit_code == 0
    Image.open(next((trained / "data").rglob("*.png"))).save("image.png")
    told = json.loads(run("predict", "image.png", "--format", "json").stdout)[0]["probabilities"]
    text = (Path(__file__).parent.parent / "docs" / "export.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (code,) = (block for block in blocks if name in block)
    exec(code.replace("image.jpg", "image.png"), {})
    class_name, probability = capsys.readouterr().out.split()
    assert float(probability) == pytest.approx(told[class_name], abs=0.02)  # by another filter
