"""The exported page in Chromium, from the real file: it answers as `predict` and loads nothing."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from catsdogs.cli import main
from tests.chromium import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER

NUM_PHOTOS = 12
WAIT_SECONDS = 300  # for a state; a slow machine gets there as well


@pytest.fixture(scope="module")
def folder(tmp_path_factory, unsure_model):
    """A page and photos: of several shapes, one with transparency, one that is no photo."""
    folder = tmp_path_factory.mktemp("page")
    generator = np.random.default_rng(0)
    for number in range(NUM_PHOTOS):
        corner = generator.integers(0, 256, (3, 4, 3)).astype(np.uint8)
        size = (40 + 7 * number, 90 - 5 * number)
        photo = Image.fromarray(corner).resize(size, Image.Resampling.BICUBIC)
        if number == 0:
            photo.putalpha(128)
        photo.save(folder / f"{number:02}.png")
    result = CliRunner().invoke(
        main, ["export", str(folder / "mine.html"), "--model", str(unsure_model)]
    )
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def answers(browser, folder):
    """What the page says of the photos, by name, and of a file that is no photo."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    (folder / "letter.jpg").write_bytes(b"dear")
    browser.get_log("performance")
    browser.get((folder / "mine.html").as_uri())
    wait = WebDriverWait(browser, WAIT_SECONDS)
    wait.until(
        lambda driver: driver.execute_script("return document.documentElement.dataset.ready")
    )
    names = [*sorted(folder.glob("*.png")), folder / "letter.jpg"]
    browser.find_element(By.ID, "files").send_keys("\n".join(map(str, names)))
    wait.until(lambda driver: driver.execute_script("return catsdogsAnswers.length") == len(names))
    found = browser.execute_script(
        "return catsdogsAnswers.map(({name, probabilities, error}) =>"
        " [name, probabilities ? [...probabilities] : error])"
    )
    return dict(found)


def test_page_answers_as_predict(answers, folder, unsure_model):
    paths = sorted(folder.glob("*.png"))
    result = CliRunner().invoke(
        main, ["predict", *map(str, paths), "--model", str(unsure_model), "--format", "json"]
    )
    expected = {
        record["path"]: [record["probabilities"][name] for name in ("cats", "dogs")]
        for record in json.loads(result.stdout)
    }
    for path in paths:
        assert answers[path.name] == pytest.approx(expected[str(path)], abs=0.01)


def test_file_that_is_no_photo_gets_a_reason(answers):
    assert answers["letter.jpg"] == "no picture that this browser can read"


def test_page_loads_nothing_and_nothing_fails(answers, browser, folder):
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    own = (folder / "mine.html").as_uri()
    assert [url for url in asked if url != own and not url.startswith(("data:", "blob:"))] == []
    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert severe == []


def test_gallery_is_sorted_by_class_and_the_csv_has_every_photo(answers, browser):
    groups = browser.execute_script(
        "return [...document.querySelectorAll('.group')].map(group =>"
        " [group.dataset.key, group.querySelectorAll('.tile').length])"
    )
    assert sum(count for _, count in groups) == NUM_PHOTOS + 1
    assert groups[-1] == ["Not readable", 1]


def test_a_photo_that_cannot_be_read_takes_no_answers_place(answers, browser):
    shown = browser.execute_script(
        "return [document.getElementById('latest-class').textContent,"
        " document.querySelector('[aria-current] .caption').firstChild.textContent]"
    )
    assert shown[0] in ("cats", "dogs")
    assert shown[1] == f"{NUM_PHOTOS - 1:02}.png"
    reason = browser.find_elements("css selector", ".tile .reason")
    assert [one.text for one in reason] == ["no picture that this browser can read"]


def test_all_can_be_reached_by_keys_and_seen_to_be(answers, browser):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    browser.execute_script("document.activeElement.blur()")
    reached = []
    while len(reached) < 40:
        ActionChains(browser).send_keys(Keys.TAB).perform()
        name, style = browser.execute_script(
            "const at = document.activeElement;"
            "const seen = at.id === 'files' ? at.labels[0] : at;"
            "return [at.id || at.ariaLabel || at.textContent, getComputedStyle(seen).outline]"
        )
        if browser.execute_script("return document.activeElement === document.body"):
            break
        assert "solid 3px" in style, name
        reached.append(name)
    assert reached[0] == "files"
    assert [name for name in reached if name in ("csv", "clear")] == ["csv", "clear"]
    assert "letter.jpg: no picture that this browser can read" in reached
    assert reached[-1] == "About this page"


@pytest.mark.parametrize("width", [360, 1280])
def test_page_fits_its_width(answers, browser, width):
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
