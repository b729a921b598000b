"""What is published: nothing of the package is missing, and it runs outside of the checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PUBLISHED = (
    *("catsdogs", "tests", "docs", "examples", "configs", "benchmarks"),
    *("pyproject.toml", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE", "Makefile"),
)


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """A source archive of the checkout, and the wheel that was built from it."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in PUBLISHED:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        else:
            shutil.copy(ROOT / name, copy)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return copy / "dist"


def files_of(folder):
    found = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


@pytest.mark.slow
def test_wheel_holds_the_package_and_nothing_else(dist):
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == files_of("catsdogs")


@pytest.mark.slow
def test_source_archive_holds_what_tests_and_docs_need(dist):
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    for folder in ("catsdogs", "tests", "docs", "examples", "configs", "benchmarks"):
        assert files_of(folder) <= names
    assert {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile"} <= names


@pytest.mark.slow
def test_installed_wheel_unpacks_trains_answers_and_exports_outside_of_the_checkout(dist, tmp_path):
    (wheel,) = dist.glob("*.whl")
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", site, wheel], check=True)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "PYTHONPATH": str(site),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = run("-c", "import catsdogs; print(catsdogs.__file__)").strip()
    assert Path(where) == site / "catsdogs" / "__init__.py"
    run("-m", "catsdogs", "sample")
    small = ("--set=model.weights=random", "--set=model.image_size=[32,32]")
    run("-m", "catsdogs", "train", "--set=head.kind=logistic", *small)
    assert run("-m", "catsdogs", "predict", "data/test", "--format", "csv").count("\n") == 41
    run("-m", "catsdogs", "export", "mine.html")
