"""Every link of the documentation leads somewhere, as far as that can be told without a network.

Links to other places are only looked at here; `.github/workflows/links.yml` follows them weekly.
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent
FOLDERS = ("docs", "examples", "catsdogs")
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(page for folder in FOLDERS for page in ROOT.glob(f"{folder}/**/*.md")),
]
MARKDOWN = MarkdownIt("commonmark").enable("table")


def tokens_of(page):
    def walk(tokens):
        for token in tokens:
            yield token
            yield from walk(token.children or ())

    return list(walk(MARKDOWN.parse(page.read_text(encoding="utf-8"))))


def links_of(page):
    """What the links and pictures of a page name, those in HTML included."""
    found = []
    for token in tokens_of(page):
        found += [str(token.attrs[name]) for name in ("href", "src") if name in token.attrs]
        if token.type in ("html_inline", "html_block"):
            found += re.findall(r"""(?:href|src)=["']([^"']+)""", token.content)
    return found


def anchors_of(page):
    """What a link may lead to within a page: its headings, as GitHub and MkDocs name them."""
    tokens = tokens_of(page)
    headings = [n for n, token in enumerate(tokens) if token.type == "heading_open"]
    plain = [re.sub(r"[^\w\s-]", "", tokens[n + 1].content).strip().lower() for n in headings]
    return {re.sub(r"[-\s]+", "-", text) for text in plain}


def identity(page):
    return str(page.relative_to(ROOT))


def test_links_are_found():
    found = [link for page in PAGES for link in links_of(page)]
    assert len([link for link in found if link.startswith("https://")]) > 10
    assert len([link for link in found if not urlsplit(link).scheme]) > 100
    assert any(link.endswith("page.png") for link in links_of(ROOT / "README.md"))


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    wrong = []
    for link in links_of(page):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        there = (page.parent / parts.path).resolve() if parts.path else page
        is_inside = there.is_relative_to(ROOT) and there.exists()
        if not is_inside or (parts.fragment and parts.fragment not in anchors_of(there)):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_every_other_link_is_a_whole_address(page):
    others = [urlsplit(link) for link in links_of(page) if urlsplit(link).scheme]
    wrong = [
        parts.geturl()
        for parts in others
        if parts.scheme != "https" or not re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc)
    ]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_every_page_and_picture_of_docs_that_is_named_in_text_is_there(page):
    named = re.findall(r"\bdocs/[\w-]+\.\w+", page.read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_page_of_docs_that_the_code_names_is_there():
    code = [p for name in ("catsdogs", "configs", "examples") for p in ROOT.glob(f"{name}/**/*.*")]
    texts = [p.read_text(encoding="utf-8") for p in code if p.suffix in (".py", ".toml", ".yml")]
    named = {path for text in texts for path in re.findall(r"\bdocs/[\w-]+\.md", text)}
    assert len(named) > 5
    assert sorted(path for path in named if not (ROOT / path).exists()) == []
