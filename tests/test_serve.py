"""`catsdogs serve`: the answers of `predict`, limits, and models that are replaced."""

import concurrent.futures
import gc
import html
import io
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import weakref

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

from catsdogs.cli import main
from catsdogs.commands.serve import ServeRequest, name_models, pages, serve
from catsdogs.console import Console
from catsdogs.errors import ConfigError, ModelFileError
from catsdogs.model.predictor import ModelRequest, Predictor
from catsdogs.serving.access import Access
from catsdogs.serving.app import create_app
from catsdogs.serving.served_models import ServedModels
from catsdogs.serving.uploads import Limits
from catsdogs.serving.waiting_line import LineFull, WaitingLine

pytestmark = pytest.mark.slow


def png(seed, size=(40, 48)):
    corner = np.random.default_rng(seed).integers(0, 256, (3, 4, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(corner).resize(size, Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def model_path(tmp_path, unsure_model):
    path = tmp_path / "pets.h5"
    shutil.copy(unsure_model, path)
    return path


@pytest.fixture
def client(model_path):
    app = serve(ServeRequest({"pets": model_path}), Console(io.StringIO()))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


def test_answers_are_those_of_predict_to_the_digit(client, model_path, tmp_path):
    contents = [png(seed) for seed in range(3)]
    for index, content in enumerate(contents):
        (tmp_path / f"{index}.png").write_bytes(content)
    files = [("photos", (f"{index}.png", content)) for index, content in enumerate(contents)]
    answers = client.post("/predict", files=files).json()["answers"]
    paths = [str(tmp_path / f"{index}.png") for index in range(3)]
    result = CliRunner().invoke(
        main, ["predict", *paths, "--model", str(model_path), "--format", "json"]
    )
    expected = [record["probabilities"] for record in json.loads(result.stdout)]
    assert [answer["probabilities"] for answer in answers] == expected
    assert [answer["name"] for answer in answers] == ["0.png", "1.png", "2.png"]


def test_a_model_that_refuses_says_neither_as_predict_does(careful_models):
    model, photo = careful_models / "strict.h5", careful_models / "sofa.png"
    result = CliRunner().invoke(
        main, ["predict", str(photo), "--model", str(model), "--format", "json"]
    )
    (expected,) = json.loads(result.stdout)
    app = serve(ServeRequest({"pets": model}), Console(io.StringIO()))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        (answer,) = client.post("/predict", content=photo.read_bytes()).json()["answers"]
        assert answer["class_name"] == expected["class"] == "neither"
        assert answer["strangeness"] == expected["strangeness"]
        assert answer["probabilities"] == expected["probabilities"]
        assert "and ${about.refusal.name} where" in client.get("/").text


def test_a_served_model_refuses_as_it_is_asked_to(careful_models):
    content = (careful_models / "sofa.png").read_bytes()
    request = ServeRequest({"pets": careful_models / "careful.h5"}, unknown=0.1)
    with TestClient(serve(request, Console(io.StringIO())), base_url="http://127.0.0.1") as client:
        (answer,) = client.post("/predict", content=content).json()["answers"]
    assert answer["class_name"] == "neither"
    with pytest.raises(ConfigError, match="plain"):
        serve(
            ServeRequest({"pets": careful_models / "plain.h5"}, unknown=0.1),
            Console(io.StringIO()),
        )


def test_bare_body_is_one_photo(client):
    answer = client.post("/predict", content=png(0)).json()
    assert answer["model"] == "pets"
    assert answer["answers"][0]["class_name"] in ("cats", "dogs")


def test_photos_of_phones_are_answered(client):
    heif, buffer = pytest.importorskip("pillow_heif"), io.BytesIO()
    with Image.open(io.BytesIO(png(1))) as image:
        heif.from_pillow(image).save(buffer, quality=100)
    (answer,) = client.post("/predict", content=buffer.getvalue()).json()["answers"]
    assert answer["error"] is None
    assert answer["class_name"] in ("cats", "dogs")


def test_no_photo_is_written_to_a_disk(client, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    large = png(0) + bytes(2**21)  # behind the picture's end
    response = client.post("/predict", files=[("photos", ("large.png", large))])
    assert response.json()["answers"][0]["error"] is None


def test_bad_photo_beside_good_ones_is_an_answer_with_a_reason(client):
    files = [("photos", ("good.png", png(0))), ("photos", ("bad.png", b"no picture"))]
    good, bad = client.post("/predict", files=files).json()["answers"]
    assert good["error"] is None
    assert bad == {
        "name": "bad.png",
        "class_name": None,
        "probabilities": {},
        "strangeness": None,
        "error": "not a picture, or damaged at its start",
    }


@pytest.mark.parametrize(
    ("request_of", "status", "error"),
    [
        ({"content": b"no picture"}, 400, "not a picture, or damaged at its start"),
        (
            {"content": b""},
            400,
            "expected a photo as the body, or files of a multipart form",
        ),
        (
            {"content": png(0), "params": {"model": "x"}},
            404,
            "there is no model 'x': expected one of pets",
        ),
        (
            {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
            400,
            "the multipart form cannot be read: Missing boundary in multipart.",
        ),
    ],
)
def test_bad_request_is_one_line(client, request_of, status, error):
    response = client.post("/predict", **request_of)
    assert (response.status_code, response.json()) == (status, {"error": error})


def test_other_host_is_refused(client):
    response = client.get("/health", headers={"host": "evil.example:8000"})
    assert response.status_code == 400
    assert client.get("/health", headers={"host": "localhost:8000"}).status_code == 200
    assert client.get("/health", headers={"host": "[::1]:8000"}).status_code == 200


def open_model(path):
    return Predictor(ModelRequest(path))


@pytest.fixture
def make_client(model_path):
    models = ServedModels({"pets": model_path}, open_model, lambda _: None)

    def make(**settings):
        return TestClient(create_app(models, **settings), base_url="http://127.0.0.1")

    return make


def test_tokens_beyond_ascii_are_known_by_their_bytes(make_client):
    with make_client(access=Access(token="Schlüssel")) as client:
        for token, status in (("Schlüssel", 200), ("Schluessel", 401)):
            headers = {"authorization": b"bearer " + token.encode()}
            assert client.post("/predict", content=png(0), headers=headers).status_code == status


def test_a_form_is_known_by_its_type_in_any_case(client):
    form = b'--x\r\nContent-Disposition: form-data; name="p"; filename="a.png"\r\n\r\n'
    headers = {"content-type": "Multipart/Form-Data; boundary=x"}
    response = client.post("/predict", content=form + png(0) + b"\r\n--x--\r\n", headers=headers)
    assert [answer["name"] for answer in response.json()["answers"]] == ["a.png"]


def test_token_is_asked_for(make_client):
    with make_client(access=Access(token="secret")) as client:
        assert client.post("/predict", content=png(0)).status_code == 401
        wrong = client.post("/predict", content=png(0), headers={"authorization": "Bearer no"})
        assert wrong.status_code == 401
        right = {"authorization": "Bearer secret"}
        assert client.post("/predict", content=png(0), headers=right).status_code == 200
        assert client.get("/health").status_code == 200


def test_large_request_is_refused_with_and_without_a_length(make_client):
    with make_client(limits=Limits(max_bytes=1000)) as client:
        assert client.post("/predict", content=b"x" * 1001).status_code == 413

        def pieces():
            for _ in range(20):
                yield b"x" * 100

        assert client.post("/predict", content=pieces()).status_code == 413


def test_full_line_says_when_to_come_back(make_client):
    with make_client(limits=Limits(waiting=1)) as client:
        files = [("photos", (f"{n}.png", png(n))) for n in range(2)]
        response = client.post("/predict", files=files)
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        assert client.post("/predict", content=png(0)).status_code == 200


def test_requests_that_come_together_each_get_their_own_answer(client):
    contents = [png(seed) for seed in range(12)]
    alone = [client.post("/predict", content=content).json() for content in contents]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        together = list(
            pool.map(lambda content: client.post("/predict", content=content).json(), contents)
        )
    assert together == alone


def test_replaced_model_is_taken_up_and_a_broken_one_is_not(model_path, make_model, tmp_path):
    log = []
    models = ServedModels({"pets": model_path}, open_model, log.append)
    assert models.get("pets").predictor.class_names == ("cats", "dogs")
    model_path.write_bytes(b"broken")
    models.refresh()
    assert models.get("pets").predictor.class_names == ("cats", "dogs")
    assert "the model loaded before stays in service" in log[0]
    model_path.unlink()
    models.refresh()
    assert models.get("pets").predictor.class_names == ("cats", "dogs")
    shutil.copy(make_model(tmp_path / "new.h5", ("birds", "fish")), model_path)
    models.refresh()
    assert models.get("pets").predictor.class_names == ("birds", "fish")
    assert log[1] == f"{model_path} was replaced: the new model is in service"


def test_models_are_let_go_when_they_are_replaced_and_at_the_end(model_path, careful_models):
    opened = []

    def open_model(path):
        opened.append(weakref.ref(predictor := Predictor(ModelRequest(path), num_photos=1)))
        return predictor

    models = ServedModels({"pets": model_path}, open_model, lambda _: None)
    with TestClient(create_app(models, pages()), base_url="http://127.0.0.1:8000") as client:
        assert client.get("/").status_code == client.post("/predict", content=png(0)).status_code
        shutil.copy(careful_models / "strict.h5", model_path)
        models.refresh()
        gc.collect()
        assert [model() is None for model in opened] == [True, False]
    gc.collect()
    assert [model() for model in opened] == [None, None]


def test_page_and_documentation_load_nothing(client):
    page = html.unescape(client.get("/").text)
    assert "default-src 'none'" in page
    assert "cats or dogs?" in page
    for text in (page, client.get("/docs").text):
        assert "src=" not in text.replace("src: ", "")
        assert "https://" not in text.partition("<script>")[0]


def test_documentation_names_the_address_that_it_is_read_at(client):
    page = client.get("/docs", headers={"Host": "localhost:8123"}).text
    assert page.count("http://localhost:8123/predict") == 2
    assert ":8000" not in page


def test_explanation_is_a_picture(client):
    response = client.post("/explain", content=png(0))
    assert response.headers["content-type"] == "image/png"
    picture = Image.open(io.BytesIO(response.content))
    assert picture.format == "PNG"
    assert picture.width > 2 * 48
    response = client.post("/explain", content=b"no picture")
    assert (response.status_code, response.json()) == (
        400,
        {"error": "not a picture, or damaged at its start"},
    )


def test_facts_about_the_model(client):
    facts = client.get("/model").json()
    assert facts["class_names"] == ["cats", "dogs"]
    assert facts["image_size"] == [32, 32]
    assert client.get("/health").json()["models"] == ["pets"]


def test_models_are_named_by_their_files():
    assert list(name_models(("a/pets.h5", "birds=b/x.h5"))) == ["pets", "birds"]
    with pytest.raises(ConfigError, match="two models are called 'pets'"):
        name_models(("a/pets.h5", "b/pets.h5"))


def test_model_that_cannot_be_opened_is_one_line(tmp_path):
    with pytest.raises(ModelFileError, match=r"no model at .*no\.h5"):
        serve(ServeRequest({"pets": tmp_path / "no.h5"}), Console(io.StringIO()))


@pytest.mark.anyio
async def test_fault_of_one_network_does_not_stop_the_line():
    def broken(photos):
        raise RuntimeError("out of order")

    def working(photos):
        return photos.reshape(len(photos), -1)[:, :2].astype(float)

    line = WaitingLine(length=4)
    line.start()
    with pytest.raises(RuntimeError, match="out of order"):
        await line.ask(broken, [np.zeros((1, 1, 3), np.uint8)])
    rows = await line.ask(working, [np.full((1, 1, 3), value, np.uint8) for value in (1, 2)])
    assert [row.tolist() for row in rows] == [[1, 1], [2, 2]]
    with pytest.raises(LineFull):
        await line.ask(working, [np.zeros((1, 1, 3), np.uint8)] * 5)
    await line.stop()


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.slow
def test_interface_is_as_its_description_says(model_path):
    """Schemathesis asks whatever the description allows; no answer may be a 500."""
    pytest.importorskip("schemathesis")
    import uvicorn

    app = serve(ServeRequest({"pets": model_path}), Console(io.StringIO()))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run"),
                f"http://127.0.0.1:{port}/openapi.json",
                *("--max-examples", "10", "--phases", "fuzzing", "--seed", "0"),
                # bytes that are no picture are allowed to come, and to be refused
                *("--exclude-checks", "positive_data_acceptance"),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=model_path.parent,  # it leaves notes where it runs
        )
    finally:
        server.should_exit = True
        thread.join()
    assert done.returncode == 0, done.stdout


def test_names_of_hosts_have_no_case_and_any_port():
    access = Access(["pets.example", "[::1]"])
    assert all(access.admits(host) for host in ("pets.example", "Pets.Example:8000", "[::1]:80"))
    assert not any(access.admits(host) for host in ("", "example", "pets.example.net", "[::2]"))


@pytest.mark.parametrize("secret", ["", " ", " x", "x\n", "a\nb", "a\x1bb"])
def test_a_secret_that_is_none_or_that_no_request_can_send_is_refused(secret, call):
    error = call("serve", "--token", secret, code=2).stderr
    assert error.count("\n") == 1
    assert "'--token': " in error
    assert "empty" in error if not secret else "expected a secret without" in error


def test_a_secret_variable_that_is_empty_opens_no_door(call, monkeypatch):
    monkeypatch.setenv("CATSDOGS_TOKEN", "")
    error = call("serve", code=2).stderr
    assert "CATSDOGS_TOKEN is empty: unset it to ask for none" in error


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "http://pets:80/", "pets/x", "*.pets", "a,b"])
def test_a_name_that_no_host_header_can_be_is_refused(name, call):
    error = call("serve", "--allow-host", name, code=2).stderr
    assert error.count("\n") == 1
    assert "expected a name alone, such as" in error


@pytest.mark.parametrize(
    ("host", "said"),
    [("", "is empty"), ("no host", "no host, port"), ("192.0.2.1", "192.0.2.1, port")],
)
def test_an_address_that_is_not_here_names_the_option_that_gives_another(host, said, call):
    error = call("serve", "--host", host, code=1).stderr
    assert said in error
    assert error.endswith("by --host HOST\n")
