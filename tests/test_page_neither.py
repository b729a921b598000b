"""The page of a model that may refuse: it says neither where `predict` does."""

import json

import pytest
from click.testing import CliRunner

from catsdogs.cli import main
from tests.chromium import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER

WAIT_SECONDS = 300  # for a state; a slow machine gets there as well


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory, careful_models):
    """The page with answers for 24 photos that the model knows, and one that it does not."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    path = tmp_path_factory.mktemp("page") / "strict.html"
    arguments = ["export", str(path), "--model", str(careful_models / "strict.h5")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    browser.get(path.as_uri())
    wait = WebDriverWait(browser, WAIT_SECONDS)
    wait.until(
        lambda driver: driver.execute_script("return document.documentElement.dataset.ready")
    )
    photos = [*sorted((careful_models / "known").glob("*.png"))[:24], careful_models / "sofa.png"]
    browser.find_element(By.ID, "files").send_keys("\n".join(map(str, photos)))
    wait.until(lambda driver: driver.execute_script("return catsdogsAnswers.length") == 25)
    return browser, photos


def test_it_is_as_strange_as_for_predict(page, careful_models):
    browser, photos = page
    arguments = ["predict", *map(str, photos), "--model", str(careful_models / "strict.h5")]
    result = CliRunner().invoke(main, [*arguments, "--format", "json"])
    expected = json.loads(result.stdout)
    found = browser.execute_script(
        "return catsdogsAnswers.map(({className, strangeness}) => [className, strangeness])"
    )
    for (name, strangeness), record in zip(found, expected, strict=True):
        # in half precision, photos change places with their neighbours
        assert strangeness == pytest.approx(record["strangeness"], abs=0.06)
        assert name == record["class"] or record["strangeness"] > 0.9
    assert found[-1][0] == expected[-1]["class"] == "neither"
    assert found[-1][1] == expected[-1]["strangeness"] == 240 / 241


def test_it_says_so_in_large_letters_and_in_a_group_of_its_own(page):
    browser, _ = page
    text = browser.execute_script(
        "return ['latest-class', 'latest-probability'].map("
        "id => document.getElementById(id).textContent)"
    )
    assert text[0] == "neither"
    assert text[1].startswith("Stranger than 99.6% of the photos that it was tried on, in ")
    groups = browser.execute_script(
        "return [...document.querySelectorAll('.group')].map(group => group.dataset.key)"
    )
    assert groups == ["cats", "dogs", "neither"]
    heading, tile = browser.execute_script(
        "const group = document.querySelector('.group[data-key=neither]');"
        "return [group.querySelector('h2').textContent, group.querySelector('.tile').ariaLabel]"
    )
    assert heading.endswith(", with their strangeness")
    assert tile.endswith(".png: neither, strangeness 99.6%")
