"""What a training gave, as lines."""

from catsdogs.console import format_duration
from catsdogs.text import printable
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
    """Skipped photos, the score and where the model is."""
    lines = []
    if result.num_skipped:
        lines.append(f"{result.num_skipped:,} photos could not be read and were skipped")
    return [
        *lines,
        f"validation {result.score}",
        f"saved {printable(str(result.model_path))} (epoch {result.history.kept.number}) after "
        f"{format_duration(result.seconds)}, its record in {printable(str(result.run_path))}",
    ]
