"""Every row of docs/robustness.md happens, and prints what the row says."""

import pytest
from situations import make_template, working_folder
from situations.document import DOCUMENT, render, situations

pytestmark = pytest.mark.slow

ROWS = [
    line
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| situation |")
]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        make_template(folder)
    return folder


def test_document_has_a_row_for_each_situation():
    assert len(ROWS) == len(situations())
    assert render(iter(ROWS)) == DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("situation", "row"),
    [
        pytest.param(situation, row, id=f"{situation.command.split()[1]}, {situation.what}")
        for situation, row in zip(situations(), ROWS, strict=False)
    ],
)
def test_row_is_what_happens(situation, row, template, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert situation.row(working_folder(template, tmp_path / "work")) == row
