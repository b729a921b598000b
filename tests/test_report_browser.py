"""The report in Chromium, as its reader opens it."""

import json

import pytest

from tests.chromium import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture(params=[360, 1280])
def width(request):
    return request.param


@pytest.fixture
def page(browser, reported, scheme, width):
    """The report, opened at a width in a colour scheme; all its details are open."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get_log("performance")
    browser.get((reported / "report.html").as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    return browser


def test_nothing_is_loaded_nothing_fails_and_nothing_overflows(page, reported, width):
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    loaded = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    own = (reported / "report.html").as_uri()
    assert own in loaded
    assert [url for url in loaded if url != own and not url.startswith("data:")] == []
    assert [m for m in messages if m["method"] == "Network.loadingFailed"] == []
    assert page.get_log("browser") == []
    assert page.execute_script("return document.documentElement.scrollWidth") == width
    broken = "return [...document.images].filter(i => !i.naturalWidth).length"
    assert page.execute_script("return document.images.length") > 10
    assert page.execute_script(broken) == 0


# in the browser, because only it knows what the style sheets come to
CONTRASTS = """
const rgb = text => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
  .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = element => {
  for (let e = element; e; e = e.parentElement) {
    const colour = rgb(getComputedStyle(e).backgroundColor);
    if (colour.length === 3) return colour;
  }
};
return [...document.querySelectorAll('p, dd, dt, th, li, figcaption, small, a, svg text')]
  .filter(e => e.textContent.trim() && e.offsetParent !== null || e.ownerSVGElement)
  .map(e => {
    const style = getComputedStyle(e);
    const ink = light(rgb(e.ownerSVGElement ? style.fill : style.color));
    const paper = light(behind(e));
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  });
"""


def test_text_and_figures_are_legible_in_both_colour_schemes(page, scheme):
    paper = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    darkest = max(int(part) for part in paper[4:-1].split(","))
    assert darkest < 50 if scheme == "dark" else darkest > 200
    contrasts = page.execute_script(CONTRASTS)
    assert len(contrasts) > 100
    assert min(contrasts) >= 4.5  # WCAG AA


def test_the_first_tab_leads_to_a_visible_skip_link(page):
    from selenium.webdriver.common.keys import Keys

    page.switch_to.active_element.send_keys(Keys.TAB)
    link = page.switch_to.active_element
    assert link.text == "Skip to the result"
    assert link.location["y"] >= 0
