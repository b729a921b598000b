"""What libraries may print in a program that is nothing but `catsdogs`, and in others."""

import subprocess
import sys

import pytest

PRODUCT = """
import numpy as np
from catsdogs.data.quiet import quieten_libraries
if {asked}:
    quieten_libraries()
np.full((2, 5), np.inf, np.float32) @ np.zeros(5, np.float32)
np.zeros(1) / 0
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
