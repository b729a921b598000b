"""The first directory of a TIFF file, or of EXIF, read without trust in what it says.

Nothing here raises: an entry that cannot be is passed over. Pillow, in contrast, copies what each
entry claims to hold, and raises where one is damaged.
"""

import math
import struct
from dataclasses import dataclass

(WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, ROWS_PER_STRIP, LOWEST, HIGHEST) = (
    256,
    257,
    258,
    259,
    262,
    277,
    278,
    280,
    281,
)
PLANES, TILE_WIDTH, TILE_HEIGHT, SAMPLE_FORMAT, LOWEST_ANY, HIGHEST_ANY = (
    284,
    322,
    323,
    339,
    340,
    341,
)

_PIXEL_TAGS = frozenset(
    {254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 280, 281, 284, 292, 293, 317}
    | {320, 322, 323, 324, 325, 332, 338, 339, 347, 529, 530, 531, 532}
)
"""What is needed to decode the pixels, the orientation included."""

_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 16: "Q", 17: "q"}
_RATIONALS = {5: "I", 10: "i"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4} | {
    16: 8,
    17: 8,
    18: 8,
}
"""Bytes of one value, by type."""

_MAX_VALUES = 16
"""Of an entry, so many are looked at: one for each sample of a pixel."""

_MAX_CHARACTERS = 80
"""Of a text."""


@dataclass(frozen=True)
class Directory:
    """Entries of a directory: tags to where their values lie.

    Attributes:
        order: `<` or `>`.
        is_big: offsets have eight bytes.
        entries: tag to type, count, offset of the values, and the entry itself.
    """

    content: bytes
    order: str
    is_big: bool
    entries: dict[int, tuple[int, int, int, bytes]]

    def values(self, tag: int) -> tuple[float, ...]:
        """The first numbers of an entry; empty where there are none."""
        kind, count, offset, _ = self.entries.get(tag, (0, 0, 0, b""))
        code, shown = _CODES.get(kind) or _RATIONALS.get(kind), min(count, _MAX_VALUES)
        if code is None:
            return ()
        if kind in _RATIONALS:
            shown *= 2
        try:
            found = struct.unpack_from(f"{self.order}{shown}{code}", self.content, offset)
        except struct.error:
            return ()
        if kind in _RATIONALS:
            return tuple(a / b if b else math.nan for a, b in zip(*[iter(found)] * 2, strict=True))
        return found

    def number(self, tag: int, default: int) -> int:
        """The one whole number of an entry."""
        value = next(iter(self.values(tag)), default)
        return int(value) if math.isfinite(value) else default

    def text(self, tag: int) -> str:
        """The beginning of a text, up to its NUL; empty where there is none."""
        kind, count, offset, _ = self.entries.get(tag, (0, 0, 0, b""))
        if kind not in (2, 7):  # ASCII, or bytes that some programs write in its place
            return ""
        found = self.content[offset : offset + min(count, _MAX_CHARACTERS)]
        return found.partition(b"\0")[0].decode("latin-1").strip()

    def directory_at(self, tag: int) -> "Directory | None":
        """The directory that an entry points to; None where there is none."""
        place = self.number(tag, -1)
        return read_directory(self.content, place) if place >= 0 else None

    def claimed_bytes(self) -> int:
        """What all entries together claim to hold, however often they share it."""
        room = len(self.content)
        return sum(
            min(count * _SIZES.get(kind, 1), room) for kind, count, _, _ in self.entries.values()
        )

    def is_unsigned(self) -> bool:
        """Whether the values are whole numbers of 32 bits without a sign."""
        return self.number(BITS, 0) == 32 and self.number(SAMPLE_FORMAT, 1) == 1

    def pixels_alone(self, as_signed: bool = False) -> bytes:
        """The file with a directory of nothing but what decoding its pixels needs.

        Args:
            as_signed: call unsigned values signed, and the lowest one black.
        """
        found = {tag: entry for tag, (*_, entry) in self.entries.items() if tag in _PIXEL_TAGS}
        if as_signed:
            number = "HHQH6x" if self.is_big else "HHIH2x"
            for tag, value in ((SAMPLE_FORMAT, 2), (PHOTOMETRIC, 1)):
                found[tag] = struct.pack(self.order + number, tag, 3, 1, value)
        kept = sorted(found.items())
        start = len(self.content) + len(self.content) % 2
        body = self.content.ljust(start, b"\0")
        count, offset = ("Q", "Q") if self.is_big else ("H", "I")
        directory = struct.pack(self.order + count, len(kept)) + b"".join(e for _, e in kept)
        directory += struct.pack(self.order + offset, 0)
        place = 8 if self.is_big else 4
        first = struct.pack(self.order + offset, start)
        return body[:place] + first + body[place + len(first) :] + directory


def read_directory(content: bytes, start: int | None = None) -> Directory | None:
    """A directory of a TIFF block; None where there is none.

    Args:
        content: of the block.
        start: where the directory begins; None: the first one.
    """
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        return None
    try:
        is_big = 43 in struct.unpack_from("<H", content, 2) + struct.unpack_from(">H", content, 2)
        if start is None:
            place = 8 if is_big else 4
            start = int(struct.unpack_from(order + ("Q" if is_big else "I"), content, place)[0])
        count = struct.unpack_from(order + ("Q" if is_big else "H"), content, start)[0]
    except (struct.error, OverflowError):  # an offset beyond what an index may be
        return None
    first, size, inline = (start + 8, 20, 8) if is_big else (start + 2, 12, 4)
    entries = {}
    for number in range(min(count, 2**16, max(0, len(content) - first) // size)):
        place = first + number * size
        tag, kind, num_values = struct.unpack_from(
            order + ("HHQ" if is_big else "HHI"), content, place
        )
        value_at = place + size - inline
        if num_values * _SIZES.get(kind, 1) > inline:
            value_at = struct.unpack_from(order + ("Q" if is_big else "I"), content, value_at)[0]
        if value_at <= len(content):
            entry = content[place : place + size]
            entries[tag] = (kind, num_values, value_at, entry)
    return Directory(content, order, is_big, entries)
