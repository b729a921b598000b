import subprocess
import sys

import pytest

from catsdogs.errors import ConfigError, DataError
from catsdogs.reporting.tensorboard import TensorBoardLog
from catsdogs.run import RunDir
from catsdogs.training.history import Epoch, History

EPOCHS = [Epoch(0, 0.0, None, None, 0.75, 0.5, 1.0), Epoch(1, 0.25, 0.5, 0.75, 0.375, 1.0, 1.0)]


def scalars(folder):
    """Tags to pairs of step and value, as TensorBoard's own reader finds them."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util.tensor_util import make_ndarray

    (path,) = folder.iterdir()
    found = {}
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, float(make_ndarray(value.tensor))))
    return found


def test_event_files_hold_the_epochs_under_the_names_that_keras_uses(tmp_path):
    log = TensorBoardLog()
    log.begin(RunDir(tmp_path))
    for count in (1, 2):
        log.epoch_ended(History(EPOCHS[:count], EPOCHS[0]))
    log.close()
    folder = RunDir(tmp_path).tensorboard_path
    assert scalars(folder / "train") == {
        "epoch_loss": [(1, 0.5)],
        "epoch_accuracy": [(1, 0.75)],
        "epoch_learning_rate": [(1, 0.25)],
    }
    assert scalars(folder / "validation") == {
        "epoch_loss": [(0, 0.75), (1, 0.375)],
        "epoch_accuracy": [(0, 0.5), (1, 1.0)],
    }


def test_a_folder_that_cannot_be_written_is_one_line_with_the_way_out(tmp_path):
    (tmp_path / "blocked").write_text("a file in its place")
    with pytest.raises(DataError) as caught:
        TensorBoardLog().begin(RunDir(tmp_path / "blocked"))
    assert str(caught.value) == (
        f"{tmp_path / 'blocked' / 'tensorboard'} cannot be written (not a directory): "
        "choose another place"
    )


def test_writing_needs_no_tensorflow():
    code = (
        "import sys; from catsdogs.reporting.tensorboard import TensorBoardLog;"
        "TensorBoardLog(); print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_missing_package_is_one_line_with_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.summary", None)  # Python: it cannot be imported
    with pytest.raises(ConfigError) as caught:
        TensorBoardLog()
    assert str(caught.value) == (
        "run.tensorboard needs the package tensorboard: "
        "pip install 'catsdogs[tensorboard]', or leave run.tensorboard out"
    )
