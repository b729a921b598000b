"""The page of `catsdogs review` in Chromium: decided by keys and by clicks, saved, applied."""

import json

import pytest

from catsdogs.checking.decisions import read_decisions
from catsdogs.checking.suspects import Suspect
from catsdogs.data.contents import hash_content
from catsdogs.reporting.review_page import Review, render_review
from tests.chromium import NEEDS_BROWSER
from tests.test_report_browser import CONTRASTS

pytestmark = NEEDS_BROWSER

WAIT_SECONDS = 300  # for a state; a slow machine gets there as well
NAMES = ("cats", "dogs", '=wolves, "grey" & <b>wild')
KINDS = ["wrong_label", "wrong_label", "wrong_label", "odd", "near_copy", "blurred"]


@pytest.fixture
def data(tmp_path, make_photos):
    """Six photos of cats, and a photo of each other class."""
    folder = tmp_path / "data"
    for seed, name in enumerate(NAMES):
        make_photos(folder / "train" / name, 1 if seed else 6, seed, size=(60, 80))
    return folder


def write_page(folder, class_names):
    paths = sorted((folder / "train" / "cats").iterdir())
    suspects = [
        Suspect(
            path,
            hash_content(path.read_bytes()),
            "cats",
            class_names[-1] if kind == "wrong_label" else "cats",
            0.9,
            {kind: ""},
            paths[0] if kind == "near_copy" else None,
        )
        for path, kind in zip(paths, KINDS, strict=True)
    ]
    page = folder.parent / "review.html"
    page.write_text(
        render_review(Review(folder, folder, class_names, 8, "efficientnet_lite0", suspects)),
        encoding="utf-8",
    )
    return page


def open_page(browser, page, width=1280, scheme="light"):
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(page.parent)}
    )
    browser.get_log("performance")
    browser.get(page.as_uri())
    browser.execute_script("localStorage.clear()")  # what another test has decided
    browser.refresh()
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")


def press(browser, keys):
    browser.switch_to.active_element.send_keys(keys)


def click(browser, selector):
    """As a mouse does, wherever the page is scrolling to."""
    element = browser.find_element("css selector", selector)
    browser.execute_script("arguments[0].click()", element)
    return element


def decided(browser):
    return browser.find_element("id", "decided").text


def saved(browser, page):
    """Click on the button and wait for the file."""
    from selenium.webdriver.support.ui import WebDriverWait

    click(browser, "#save")
    path = page.parent / "decisions.csv"
    WebDriverWait(browser, WAIT_SECONDS).until(lambda _: path.exists() and path.stat().st_size)
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_loaded_nothing_overflows_and_all_is_legible(browser, data, width, scheme):
    page = write_page(data, NAMES)
    open_page(browser, page, width, scheme)
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    loaded = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert [url for url in loaded if url != page.as_uri() and not url.startswith("data:")] == []
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    for image in browser.find_elements("tag name", "img"):
        browser.execute_script("arguments[0].scrollIntoView()", image)
    contrasts = browser.execute_script(CONTRASTS.replace("p, dd,", "p, button, select, h3, dd,"))
    assert min(contrasts) >= 4.5  # WCAG AA


def test_keys_decide_undo_takes_back_and_what_is_saved_can_be_applied(browser, data):
    page = write_page(data, NAMES)
    open_page(browser, page)
    assert decided(browser) == "0 of 6 decided"
    press(browser, "m")  # the likely class
    press(browser, "2")  # dogs
    press(browser, "k")
    press(browser, "x")
    press(browser, "x")
    press(browser, "z")
    press(browser, "u")
    assert decided(browser) == "5 of 6 decided"
    path = saved(browser, page)
    decisions = read_decisions(path, data)
    assert decisions.counts == {"keep": 1, "move": 2, "leave_out": 1, "unsure": 1}
    cats = sorted((data / "train" / "cats").iterdir())
    assert [(request.path, request.target) for request in decisions.requests] == [
        (cats[0], data / "train" / NAMES[2] / cats[0].name),
        (cats[1], data / "train" / "dogs" / cats[1].name),
        (cats[3], None),
    ]


def test_clicks_decide_as_keys_do_and_a_second_one_takes_back(browser, data):
    open_page(browser, write_page(data, NAMES[:2]))
    button = click(browser, "#photo-1 [data-choice=move]")
    assert button.text == "It is dogs"
    assert button.get_attribute("aria-pressed") == "true"
    assert browser.find_element("id", "said").get_attribute("textContent") == (
        "Photo 1: dogs. 1 of 6 decided."
    )
    assert browser.switch_to.active_element.get_attribute("id") == "photo-2"
    click(browser, "#photo-1 [data-choice=move]")
    assert decided(browser) == "0 of 6 decided"


def test_filters_leave_what_they_say(browser, data):
    from selenium.webdriver.support.ui import Select

    open_page(browser, write_page(data, NAMES))

    def shown():
        cards = browser.find_elements("css selector", ".card:not([hidden])")
        return [card.get_attribute("id") for card in cards]

    kind, state = (Select(browser.find_element("id", name)) for name in ("kind", "state"))
    assert [option.text for option in kind.options] == [
        "everything",
        "label in doubt (3)",
        "like no other photo (1)",
        "the same as another (1)",
        "blurred (1)",
    ]
    kind.select_by_value("wrong_label")
    assert shown() == ["photo-1", "photo-2", "photo-3"]
    state.select_by_value("open")
    click(browser, "#photo-1 [data-choice=keep]")
    assert shown() == ["photo-2", "photo-3"]
    kind.select_by_value("")
    state.select_by_value("done")
    assert shown() == ["photo-1"]
    click(browser, "#undo")
    assert len(shown()) == 6


def test_decisions_are_there_again_when_the_page_is_opened_again(browser, data):
    page = write_page(data, NAMES)
    open_page(browser, page)
    press(browser, "k")
    saved(browser, page)
    browser.refresh()
    assert decided(browser) == "1 of 6 decided"


def test_keys_can_be_switched_off_and_do_nothing_in_fields(browser, data):
    open_page(browser, write_page(data, NAMES))
    click(browser, "#keys")
    click(browser, "#photo-1")
    press(browser, "k")
    assert decided(browser) == "0 of 6 decided"


def test_the_first_tab_leads_to_a_visible_skip_link(browser, data):
    from selenium.webdriver.common.keys import Keys

    open_page(browser, write_page(data, NAMES))
    press(browser, Keys.TAB)
    link = browser.switch_to.active_element
    assert link.text == "Skip to the photos"
    assert link.location["y"] >= 0
