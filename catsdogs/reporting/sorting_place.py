"""Where answered photos may be sorted into: nowhere that the next command would find them again."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from catsdogs.data.layout import split_said_by
from catsdogs.data.walking import visible_folders
from catsdogs.errors import DataError
from catsdogs.files import identity, is_dir, lies_in, real_path, relative_path

_KEY = "sort_into"


class SortingPlace:
    """Refuses a folder to sort into that lies among the photos.

    Args:
        folder: to sort into.
        class_names: of the model: a folder that holds folders of two of them is one to train on.
    """

    def __init__(self, folder: Path, class_names: Sequence[str]) -> None:
        self._folder = folder
        self._names = {name.casefold() for name in class_names}
        self._seen: set[str] = set()

    def check_asked(self, arguments: Iterable[str]) -> None:
        """Make sure that it lies in no folder that is asked about.

        Raises:
            DataError: it does.
        """
        for argument in arguments:
            if is_dir(Path(argument)) and lies_in(self._folder, Path(argument)):
                raise DataError(
                    f"{self._folder} lies in {argument}, whose photos are asked about: choose a "
                    "folder beside it",
                    _KEY,
                )

    def check_photos(self, paths: Iterable[str]) -> None:
        """Make sure that it does not lie among the class folders that photos come from.

        There, the next training would take it for a class, or for one of the splits.

        Raises:
            DataError: it does.
        """
        for given in {os.path.dirname(path) for path in paths} - self._seen:  # noqa: PTH120 - quick
            self._seen.add(given)
            parent = Path(os.path.abspath(given))  # noqa: PTH100 - links stay
            for folder in (parent, *parent.parents):
                if folder.name.casefold() in self._names and self._holds_classes(folder.parent):
                    inside = relative_path(folder.parent, Path())
                    self._refuse_in(folder.parent if ".." in inside.parts else inside)

    def _holds_classes(self, folder: Path) -> bool:
        try:
            names = {path.name.casefold() for path in visible_folders(folder)}
        except DataError:  # whoever reads the photos gets the reason
            return False
        return len(names & self._names) > 1

    def _refuse_in(self, data: Path) -> None:
        if lies_in(self._folder, data):
            raise DataError(
                f"{self._folder} lies in {data}, among the classes that the photos come from, "
                "and would be trained on as one: choose a folder elsewhere",
                _KEY,
            )
        place = real_path(self._folder)
        split = split_said_by(place.name)
        if (
            split
            and identity(place.parent) == identity(real_path(data).parent)
            and split_said_by(data.name)
        ):
            raise DataError(
                f"{self._folder} lies beside {data}, where the photos come from, and would be "
                f"taken for {split} photos: choose a folder elsewhere",
                _KEY,
            )
