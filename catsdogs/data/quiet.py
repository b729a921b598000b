"""What libraries would print to the terminal of a program that is nothing but `catsdogs`.

Importing this, or decoding photos, changes nothing for a program that uses the package: only
`quieten_libraries` does, which the command line calls.
"""

import ctypes
import logging
import os
import warnings
from contextlib import suppress

_state = {"asked": False, "done": False}


def quieten_libraries() -> None:
    """Keep Pillow, libtiff, Matplotlib and NumPy's matrix products from printing in this process.

    What matters the decoders raise as well. No library is imported for that. What the
    environment says to libraries and they would fail at is not passed on.
    """
    os.environ["MPLBACKEND"] = "agg"  # pictures are written, never shown
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # where it keeps its cache
    if not os.environ.get("SOURCE_DATE_EPOCH", "0").isdecimal():  # NumPy reads it
        del os.environ["SOURCE_DATE_EPOCH"]
    # OpenBLAS (0.3.31, `x @ y` with 5 columns on processors with AVX-512) and Apple's Accelerate
    # calculate with memory that nobody has written to, do not use what comes of it, and leave the
    # processor's mark of an invalid calculation behind: by chance, with finite numbers and a right
    # answer (numpy/numpy#24067, numpy/numpy#30162).
    warnings.filterwarnings("ignore", ".* encountered in matmul", RuntimeWarning)
    # Damaged EXIF and the like: the photo itself is decoded or refused, with a reason.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    # Pillow's log lines repeat what it raises; without a handler of ours they go to stderr.
    log = logging.getLogger("PIL")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    _state["asked"] = True


def quieten_libtiff_if_asked() -> None:
    """Take libtiff's handlers away before its first file.

    It prints its complaints straight to stderr; where it is linked in a way that hides its
    functions, it goes on printing.
    """
    if not _state["asked"] or _state["done"]:
        return
    _state["done"] = True
    from PIL import Image

    with suppress(OSError, AttributeError):
        libtiff = ctypes.CDLL(Image.core.__file__)
        libtiff.TIFFSetErrorHandler(None)
        libtiff.TIFFSetWarningHandler(None)
