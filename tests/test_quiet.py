"""What libraries may print in a program that is nothing but `catsdogs`, and in others."""

import os
import subprocess
import sys

import pytest

from tests import tiny_backbone

PRODUCT = """
import warnings
from catsdogs.data.quiet import quieten_libraries
if {asked}:
    quieten_libraries()
for operation in ("matmul", "divide"):  # as NumPy words it; whether it does is up to the processor
    warnings.warn(f"invalid value encountered in {{operation}}", RuntimeWarning)
"""


@pytest.mark.parametrize(
    ("asked", "warnings"),
    [
        (True, ["invalid value encountered in divide"]),
        (
            False,
            ["invalid value encountered in matmul", "invalid value encountered in divide"],
        ),
    ],
)
def test_marks_that_matrix_products_leave_behind_are_not_printed(asked, warnings):
    code = PRODUCT.format(asked=asked)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    lines = [line for line in done.stderr.splitlines() if "Warning" in line]
    assert [line.split("RuntimeWarning: ")[1] for line in lines] == warnings


ENVIRONMENTS = {
    "MPLBACKEND": "bogus",
    "SOURCE_DATE_EPOCH": "yesterday",
    "MPLCONFIGDIR": os.devnull,
    "PYTHONWARNINGS": "error",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_what_the_environment_says_to_libraries_ends_no_command(tmp_path, class_folders, name):
    arguments = "train --epochs 2 --set model.backbone=tiny --set model.image_size=[32,32]"
    arguments += " --set model.weights=random --set cache.dir=cache"
    done = subprocess.run(
        [*tiny_backbone.COMMAND, *arguments.split()],
        cwd=tmp_path,
        env=os.environ | {name: ENVIRONMENTS[name]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Matplotlib created" not in done.stderr
    assert "DeprecationWarning" not in done.stderr
