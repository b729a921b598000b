"""Matplotlib's SVG, made part of a page: its colours and fonts are the page's own.

The page's style sheet decides what `--training` and the like look like in light and in dark.
"""

import io
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TEXT_COLOUR = "#010203"
"""Stands for the page's text colour; nothing else is drawn in it."""

_FONT_DECLARATIONS = re.compile(r"font(-family|-style|-variant|-weight|-stretch)?:[^;]*;?\s*")


def page_style() -> Any:
    """Settings of Matplotlib that a figure for the page is drawn with."""
    names = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    return {
        **dict.fromkeys(names, _TEXT_COLOUR),
        "font.size": 10,
        "axes.titlesize": 10,
        "legend.fontsize": 10,
        "xtick.labelsize": 9.5,
        "ytick.labelsize": 9.5,
        "grid.color": _TEXT_COLOUR,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "svg.fonttype": "none",
    }


def inline_svg(figure: "Figure", name: str, label: str, colours: dict[str, str]) -> Markup:
    """Turn a figure into an `<svg>` that scales with the page.

    Args:
        figure: drawn with `page_style`.
        name: a word that no other figure on the page has; its ids begin with it.
        label: what is to be seen, for those who do not see it.
        colours: hexadecimal colours in the figure to names of the style sheet's properties.
    """
    import matplotlib

    buffer = io.BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    root = ElementTree.fromstring(buffer.getvalue())
    _drop_namespaces(root)
    _drop(root, "metadata", "style")
    _keep_ids_that_are_used(root, name)
    values = {_TEXT_COLOUR: "currentColor"}
    values |= {colour: f"var(--{property})" for colour, property in colours.items()}
    for element in root.iter():
        if style := element.get("style"):
            element.set("style", _restyle(style, values, is_text=element.tag == "text"))
    box = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib |= {"viewBox": box, "class": "chart", "role": "img", "aria-label": label}
    ElementTree.indent(root, "")
    # ElementTree escapes all text and attributes
    return Markup(ElementTree.tostring(root, encoding="unicode", short_empty_elements=False))


def _drop_namespaces(root: ElementTree.Element) -> None:
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for key in [key for key in element.attrib if key.startswith("{")]:
            element.set(key.rpartition("}")[2], element.attrib.pop(key))


def _drop(root: ElementTree.Element, *tags: str) -> None:
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in tags]:
            parent.remove(child)


def _keep_ids_that_are_used(root: ElementTree.Element, name: str) -> None:
    """Two figures have the same ids otherwise, and a page must not."""
    text = ElementTree.tostring(root, encoding="unicode")
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    for element in root.iter():
        if (identifier := element.attrib.pop("id", "")) in used:
            element.set("id", f"{name}-{identifier}")
        for key, value in element.attrib.items():
            if key in ("href", "clip-path", "style"):
                element.set(key, re.sub(r"(^|url\()#(\w+)", rf"\1#{name}-\2", value))


def _restyle(style: str, values: dict[str, str], is_text: bool) -> str:
    if is_text:
        size = re.search(r"(\d+(?:\.\d+)?)px", style)
        rest = _FONT_DECLARATIONS.sub("", style)
        style = f"font-size: {size[1]}px; {rest}" if size else rest
    for colour, value in values.items():
        style = style.replace(colour, value)
    return style.strip()
