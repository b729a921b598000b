"""Draw docs/rooms.svg from the imports as they are: `python docs/draw_rooms.py`."""

import ast
from pathlib import Path

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "catsdogs"
GROUND, LOWEST = "ground floor", ("errors", "text", "files")
DOORS = {("catsdogs", name) for name in ("__init__", "__main__")}
ROW, LEFT, TOP, BARS = 26, 130, 40, 330
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #333 }
.small { font-size: 11px; fill: #777 }
.bar { fill: #8fb4d9 }
.arc { fill: none; stroke: #c9792b; stroke-opacity: .55 }
rect.page { fill: #fff }
"""


def room_of(module: str) -> str:
    """The folder that a module lies in, or, right in the package, the module itself."""
    name = module.split(".")[1]
    return GROUND if name in LOWEST else name


def modules() -> dict[str, Path]:
    """All but the doors, which import whatever they open."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if parts not in DOORS:
            found[".".join(parts)] = path
    return found


def imported_rooms(module: str, path: Path) -> set[str]:
    """Rooms that a module imports from, its own left out."""
    return {
        room_of(node.module)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("catsdogs.")
    } - {room_of(module)}


def floors(arrows: dict[tuple[str, str], int], rooms: set[str]) -> list[str]:
    """Rooms from the top down: each one after all that import it."""
    order: list[str] = []
    while left := sorted(rooms - set(order)):
        free = [
            room
            for room in left
            if not any(above in left and below == room for above, below in arrows)
        ]
        if not free:
            raise SystemExit(f"these import each other in a circle: {', '.join(left)}")
        order.append(free[0])
    return order


def draw() -> str:
    """The picture: a bar for the lines of each room, an arc for each arrow between two."""
    lines: dict[str, int] = {}
    arrows: dict[tuple[str, str], int] = {}
    for module, path in modules().items():
        room = room_of(module)
        lines[room] = lines.get(room, 0) + len(path.read_text(encoding="utf-8").splitlines())
        for other in imported_rooms(module, path):
            arrows[room, other] = arrows.get((room, other), 0) + 1
    order = floors(arrows, set(lines))
    middle = {room: TOP + ROW * index + ROW // 2 for index, room in enumerate(order)}
    widest, height = max(lines.values()), TOP + ROW * len(order) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" role="img">',
        "<title>The rooms of catsdogs and what imports what</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="760" height="{height}"/>',
        f'<text class="small" x="{LEFT}" y="24">lines</text>',
        f'<text class="small" x="{LEFT + BARS + 20}" y="24">imports, all of them downwards</text>',
    ]
    for (above, below), count in sorted(arrows.items()):
        x, low, high = LEFT + BARS + 20, middle[above], middle[below]
        bend = x + (high - low) * 0.72
        parts.append(
            f'<path class="arc" stroke-width="{0.8 + count / 6:.1f}" '
            f'd="M{x} {low} C{bend:.0f} {low} {bend:.0f} {high} {x} {high}">'
            f"<title>{above} imports {below}, in {count} modules</title></path>"
        )
    for room, y in middle.items():
        width = round((BARS - 60) * lines[room] / widest)
        parts += [
            f'<text x="{LEFT - 10}" y="{y + 4}" text-anchor="end">{room}</text>',
            f'<rect class="bar" x="{LEFT}" y="{y - 8}" width="{width}" height="16"/>',
            f'<text class="small" x="{LEFT + width + 6}" y="{y + 4}">{lines[room]:,}</text>',
        ]
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    (DOCS / "rooms.svg").write_text(draw(), encoding="utf-8")
