"""`catsdogs finetune`."""

from pathlib import Path
from typing import Any

import click

from catsdogs.cli.options import PATH
from catsdogs.cli.process_options import ProcessFlags
from catsdogs.cli.stop_signal import end_if_interrupted, ending_gently
from catsdogs.cli.streams import answer
from catsdogs.cli.training_options import configuration, find_request, training_options


@click.command()
@training_options(
    click.option(
        "--model",
        metavar="FILE",
        type=PATH,
        help="The model to start from, replaced unless --output names another file.  [default: "
        "models/catsdogs.h5]",
    )
)
def finetune(model: Path | None, **flags: Any) -> None:
    """Train the top block too; keep the result if it is better.

    \b
    catsdogs finetune --epochs 2
    """
    process_flags = ProcessFlags.take(flags)
    if flags["resume"]:
        config, run = find_request("finetune", flags)
    else:
        from catsdogs.model.metadata import read_metadata

        if model is None:
            model = Path(configuration(flags).output)
        elif not flags["output"]:
            flags["output"] = str(model)
        config, run = configuration(flags, fixed_model=read_metadata(model).architecture), None
    with process_flags.joined("finetune", config) as processes:
        from catsdogs.commands.finetune import finetune
        from catsdogs.console import Console
        from catsdogs.reporting.training_result import compare_with_start, result_lines

        with ending_gently(process_flags.several) as stop:
            result = finetune(
                config, model, Console.shown(processes.is_leader), stop, run, processes
            )
        if processes.is_leader:
            for line in (compare_with_start(result), *result_lines(result)):
                answer(line)
    end_if_interrupted(result.history.interrupted, stop)
