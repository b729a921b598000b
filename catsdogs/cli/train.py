"""`catsdogs train`."""

from typing import Any

import click

from catsdogs.cli.options import KeyOption, backbone_option
from catsdogs.cli.process_options import ProcessFlags
from catsdogs.cli.stop_signal import end_if_interrupted, ending_gently
from catsdogs.cli.streams import answer
from catsdogs.cli.training_options import find_request, training_options


@click.command()
@training_options(
    backbone_option(),
    click.option(
        "--folds",
        cls=KeyOption,
        key="train.folds",
        metavar="K",
        type=int,
        help="Cross-validate a logistic head in K parts, then solve it on all photos.",
    ),
)
def train(**flags: Any) -> None:
    """Train a head on the frozen backbone and save the classifier.

    \b
    catsdogs train --subsample 20 --epochs 1
    catsdogs train --data photos --backbone efficientnet_lite0
    """
    process_flags = ProcessFlags.take(flags)
    config, run = find_request("train", flags)
    with process_flags.joined("train", config) as processes:
        from catsdogs.commands.train import train
        from catsdogs.console import Console
        from catsdogs.reporting.training_result import result_lines

        with ending_gently(process_flags.several) as stop:
            result = train(config, Console.shown(processes.is_leader), stop, run, processes)
        if processes.is_leader:
            for line in result_lines(result):
                answer(line)
    end_if_interrupted(result.history.interrupted, stop)
