"""What a training gave, as lines."""

from catsdogs.console import format_duration
from catsdogs.systems import shell_word
from catsdogs.text import counted, printable
from catsdogs.training.training_run import TrainResult


def compare_with_start(result: TrainResult) -> str:
    """In one line, which epoch of a fine-tuning won and by how much."""
    history = result.history
    first, kept = history.epochs[0], history.kept
    start = history.as_it_was or first
    if kept is start:
        return "kept epoch 0: no epoch had a better validation loss than the start"
    what = "the head alone, brought up to these photos" if kept is first else "the best epoch"
    return (
        f"kept epoch {kept.number}, {what}: validation loss {kept.validation_loss:.4f} "
        f"against {start.validation_loss:.4f} at the start, "
        f"accuracy {kept.validation_accuracy - start.validation_accuracy:+.4f}"
    )


def result_lines(result: TrainResult) -> list[str]:
    """Skipped photos, the score, where the model is and what to do with its record."""
    lines = []
    if result.num_skipped:
        verb = "was" if result.num_skipped == 1 else "were"
        photos = counted(result.num_skipped, "photo")
        lines.append(f"{photos} could not be read and {verb} skipped")
    history = result.history
    run = printable(shell_word(str(result.run_path)))
    epoch = f" (epoch {history.kept.number})" if len(history.epochs) > 1 else ""
    return [
        *lines,
        f"validation {result.score.sure_accuracy}",
        f"saved {printable(str(result.model_path))}{epoch} after {format_duration(result.seconds)}",
        f"`catsdogs report {run}` makes a page of its record",
    ]
