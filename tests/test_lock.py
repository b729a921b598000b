"""requirements.lock is what `make lock` writes from pyproject.toml, as far as no index is asked."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCKED_EXTRAS = ("dev", "docs", "jax", "bench")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIREMENTS = [
    Requirement(line)
    for lines in (
        PROJECT["dependencies"],
        *(PROJECT["optional-dependencies"][extra] for extra in LOCKED_EXTRAS),
    )
    for line in lines
]
LINES = [
    Requirement(line)
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
]


def locked_version(requirement):
    """What the lock takes of a package here; None where it has none."""
    for line in LINES:
        if canonicalize_name(line.name) != canonicalize_name(requirement.name):
            continue
        if line.marker is None or line.marker.evaluate():
            (pin,) = line.specifier
            return pin.version
    return None


def admits(requirement, version):
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def test_make_lock_takes_these_extras():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert " ".join(f"--extra {extra}" for extra in LOCKED_EXTRAS) in makefile


def test_every_line_is_one_version_in_the_order_of_names():
    assert [str(line) for line in LINES if not str(line.specifier).startswith("==")] == []
    names = [line.name for line in LINES]
    assert names == sorted(names)


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_every_requirement_is_locked_in_a_version_that_it_admits(requirement):
    assert admits(requirement, locked_version(requirement))


def test_what_the_locked_packages_require_is_locked():
    """Of those packages that are installed here in the version of the lock."""
    waiting = [(requirement.name, requirement.extras) for requirement in REQUIREMENTS]
    seen, missing = set(), []
    while waiting:
        name, extras = waiting.pop()
        key = (canonicalize_name(name), frozenset(extras))
        try:
            installed = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        if key in seen or installed.version != locked_version(Requirement(name)):
            continue
        seen.add(key)
        for line in installed.requires or ():
            needed = Requirement(line)
            marker = needed.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in (*extras, "")):
                continue
            waiting.append((needed.name, needed.extras))
            if not admits(needed, locked_version(needed)):
                missing.append(f"{name}: {needed}")
    assert missing == []
    if len(seen) <= 20:
        pytest.skip("other versions than the locked ones are installed here")
