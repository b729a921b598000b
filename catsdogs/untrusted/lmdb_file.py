"""LMDB files that may be damaged: looked through before the library maps them into memory, and
values read without its map.

LMDB believes every number in its file. A page number or size that leads out of the file makes
it read where nothing is, which ends the process by a signal that no handler can turn into an
error. So all pages that can be reached are read and compared first, the ordinary way. That
cannot help where another program cuts the file later, so values are looked up the same way: a read
beyond the end of a file is an error, where a look into its map is a signal.

Layout of version 0.9 on 64-bit machines of little-endian order, as in its `mdb.c`.
"""

import os
import struct
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from catsdogs.systems import read_at
from catsdogs.untrusted.boundary import open_regular

_MAGIC, _VERSION = 0xBEEFC0DE, 1
_PAGE_SIZES = (4096, 8192, 16384, 32768, 65536)
_BRANCH, _LEAF, _OVERFLOW, _META = 1, 2, 4, 8
_PAGE_FLAGS = _BRANCH | _LEAF | _OVERFLOW | _META
_BIG_VALUE = 1
_NO_PAGE = 2**64 - 1
_PAGE_HEADER = struct.Struct("<QHHHH")  # number, padding, flags, lower and upper bound
_META_BODY = struct.Struct("<IIQQ 6s10x24xQ 6s10x24xQ QQ")
_NODE = struct.Struct("<HHHH")  # low and high half of a size, flags, size of the key
_MOST_DEPTH = 32
_MOST_PAGES = 2**40
_MOST_CHANGES = 20
"""Of the file by other processes while it is looked through, before it is taken for sound."""


@dataclass(frozen=True)
class _State:
    """The newest state of the file that its two first pages name.

    Attributes:
        page_size: bytes.
        free_root, main_root: first pages of the list of free pages, and of the entries.
        last_page: the highest number of a page.
        transaction: number of the one that made it.
    """

    page_size: int
    free_root: int
    main_root: int
    last_page: int
    transaction: int


def check_lmdb(path: Path) -> None:
    """Make sure that LMDB can open a file and read all of its entries; an empty one is fine.

    Raises:
        ValueError, OSError: it is damaged, cut off, or no ordinary file.
    """
    with open_regular(path) as file:
        number = file.fileno()
        if not os.fstat(number).st_size:
            return
        for _ in range(_MOST_CHANGES):
            state = _read_state(number)
            try:
                _Walk(number, state).check()
            except ValueError:
                if _read_state(number) == state:
                    raise
            else:
                return


def _read_state(file: int) -> _State:
    """Raises: ValueError: neither of the first two pages describes a whole file."""
    first = _read_meta(read_at(file, 152, 0), 0)
    second = _read_meta(read_at(file, 152, first.page_size), 1)
    if first.page_size != second.page_size:
        raise ValueError("its first pages contradict each other")
    state = max(first, second, key=lambda meta: meta.transaction)
    if os.fstat(file).st_size < (state.last_page + 1) * state.page_size:
        raise ValueError("it is cut off")
    return state


def _read_meta(page: bytes, page_number: int) -> _State:
    if len(page) < 152:
        raise ValueError("it is cut off")
    number, _, flags, _, _ = _PAGE_HEADER.unpack_from(page)
    magic, version, _, _, free, free_root, main, main_root, last_page, transaction = (
        _META_BODY.unpack_from(page, 16)
    )
    page_size, free_flags = struct.unpack("<IH", free)
    main_flags = struct.unpack("<IH", main)[1]
    if (number, flags & _META, magic, version) != (page_number, _META, _MAGIC, _VERSION):
        raise ValueError("it is no LMDB file")
    if page_size not in _PAGE_SIZES or free_flags not in (0, 8) or main_flags:
        raise ValueError("it was not made by a feature store")
    return _State(page_size, free_root, main_root, last_page, transaction)


@dataclass(frozen=True)
class Place:
    """Where a value lies in a file. Attributes: its first byte, and how many it has."""

    start: int
    num_bytes: int


def find_value(file: int, key: bytes) -> tuple[Place | None, int]:
    """Look an entry up; other processes may write meanwhile, and use its pages for others.

    So the answer is to be believed where the value proves sound, or where the file's state, asked
    for again by `newest_transaction`, is the one that was looked into.

    Args:
        file: descriptor.
        key: of the entry.

    Returns:
        Where it is, None where there is none; and the number of the state looked into.

    Raises:
        ValueError: the file is damaged, or was written to.
    """
    state = _read_state(file)
    number, size = state.main_root, state.page_size
    for _ in range(_MOST_DEPTH):
        if number == _NO_PAGE:
            break
        page, kind, places = _read_page(file, number, size)
        at = bisect_right(places, key, lo=kind == _BRANCH, key=lambda at: _key_at(page, at)) - 1
        if at < 0:
            break
        low, high, flags, key_size = _NODE.unpack_from(page, places[at])
        if kind == _BRANCH:
            number = low | high << 16 | flags << 32
            continue
        if _key_at(page, places[at]) != key:
            break
        start, num_bytes = places[at] + 8 + key_size, low | high << 16
        if flags & _BIG_VALUE:
            number, start = struct.unpack_from("<Q", page, start)[0], 16
        if number > state.last_page:
            raise ValueError("a value lies beyond its end")
        return Place(number * size + start, num_bytes), state.transaction
    return None, state.transaction


def newest_transaction(file: int) -> int:
    """The number of the newest state of a file. Raises: ValueError: it is damaged."""
    return _read_state(file).transaction


def _read_page(file: int, number: int, size: int) -> tuple[bytes, int, tuple[int, ...]]:
    """A page of the tree, its kind, and where its entries lie in it."""
    page = read_at(file, size, number * size) if number < _MOST_PAGES else b""
    if len(page) < size:
        raise ValueError("it is cut off")
    found, _, flags, lower, upper = _PAGE_HEADER.unpack_from(page)
    kind = flags & _PAGE_FLAGS
    if found != number or kind not in (_BRANCH, _LEAF) or not 16 <= lower <= upper <= size:
        raise ValueError("a page is damaged")
    if lower % 2 or (kind == _BRANCH and lower < 20):
        raise ValueError("a page is damaged")
    places = struct.unpack_from(f"<{(lower - 16) // 2}H", page, 16)
    if any(at < upper or at + 8 > size for at in places):
        raise ValueError("an entry lies outside of its page")
    return page, kind, places


def _key_at(page: bytes, at: int) -> bytes:
    (key_size,) = struct.unpack_from("<H", page, at + 6)
    return page[at + 8 : at + 8 + key_size]


class _Walk:
    """Goes through all pages of one state of a file."""

    def __init__(self, file: int, state: _State) -> None:
        self._file = file
        self._state = state
        self._used: set[int] = {0, 1}
        self._key: bytes = b""
        self._least_key: bytes = b""

    def check(self) -> None:
        """Raises: ValueError: a page, an entry or a free page is not where it can be."""
        self._tree(self._state.main_root, is_free_list=False, depth=0)
        self._key = self._least_key = b""
        self._tree(self._state.free_root, is_free_list=True, depth=0)

    def _take(self, number: int, count: int = 1) -> None:
        """Note that pages are used, which none may be twice."""
        if number + count > self._state.last_page + 1:
            raise ValueError("a page lies beyond its end")
        for page in range(number, number + count):
            if page in self._used:
                raise ValueError("a page is used twice")
            self._used.add(page)

    def _tree(self, number: int, is_free_list: bool, depth: int) -> None:
        if number == _NO_PAGE and not depth:
            return
        if depth > _MOST_DEPTH:
            raise ValueError("its tree is too deep")
        self._take(number)
        size = self._state.page_size
        page, kind, places = _read_page(self._file, number, size)
        for index, at in enumerate(places):
            low, high, flags, key_size = _NODE.unpack_from(page, at)
            end = at + 8 + key_size
            if end > size:
                raise ValueError("a key lies outside of its page")
            key = page[at + 8 : end]
            if is_free_list:  # numbers, in the order of their values
                key = key[::-1]
            if kind == _BRANCH:
                if index:  # the first one stands for whatever is smaller
                    self._check_order(key)
                    self._least_key = key
                self._tree(low | high << 16 | flags << 32, is_free_list, depth + 1)
            else:
                self._check_order(key)
                self._key = key
                self._value(page, end, low | high << 16, flags, is_free_list)

    def _check_order(self, key: bytes) -> None:
        """Make sure that keys are in order: otherwise entries that are there are not found."""
        if key <= self._key or key < self._least_key:
            raise ValueError("its entries are out of order")

    def _value(self, page: bytes, at: int, num_bytes: int, flags: int, is_free_list: bool) -> None:
        if flags not in (0, _BIG_VALUE):
            raise ValueError("an entry is of another kind")
        if at + (8 if flags else num_bytes) > len(page):
            raise ValueError("a value lies outside of its page")
        value = page[at : at + num_bytes]
        if flags:
            (number,) = struct.unpack_from("<Q", page, at)
            value = self._big_value(number, num_bytes, is_free_list)
        if is_free_list:
            self._free_pages(value)

    def _big_value(self, number: int, num_bytes: int, is_free_list: bool) -> bytes:
        """Check the pages of a value of its own; the value, where the caller needs it."""
        size = self._state.page_size
        header = read_at(self._file, 16, number * size) if number <= self._state.last_page else b""
        if len(header) < 16:
            raise ValueError("a value lies beyond its end")
        found, _, flags, count_low, count_high = _PAGE_HEADER.unpack(header)
        count = count_low | count_high << 16
        if found != number or flags & _PAGE_FLAGS != _OVERFLOW or count * size < 16 + num_bytes:
            raise ValueError("a value is damaged")
        self._take(number, count)
        return read_at(self._file, num_bytes, number * size + 16) if is_free_list else b""

    def _free_pages(self, value: bytes) -> None:
        """A list of free pages: its length, then their numbers, the highest first."""
        numbers = struct.unpack(f"<{len(value) // 8}Q", value[: len(value) // 8 * 8])
        if not numbers or numbers[0] > len(numbers) - 1:
            raise ValueError("its list of free pages is damaged")
        for page in numbers[1 : numbers[0] + 1]:
            self._take(page)
