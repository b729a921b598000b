"""Importing Keras and its backend without the lines they print on every start."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def import_backend() -> None:
    """Import Keras with its backend, quietly; what it printed is shown where that fails.

    TensorFlow's libraries write to file descriptor 2 before any log level is read, so the
    descriptor itself is turned away for the time of the import.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _captured_stderr(), _without("sklearn", "matplotlib"):
        import keras  # noqa: F401


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Make packages look as if they were not installed, unless they are imported already.

    Keras imports these where it finds them, for wrappers and plots that nobody here uses; its
    own import takes 1.4 times as long then. Once it is imported they can be imported as ever.
    """
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: not importable
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _captured_stderr() -> Iterator[None]:
    sys.stderr.flush()
    with tempfile.TemporaryFile() as captured:
        stderr = os.dup(2)
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except BaseException:
            captured.seek(0)
            os.write(stderr, captured.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
