"""The command line: parse, call one command, print its answer, exit.

The only package that knows Click. Everything heavy is imported inside the callbacks, so that
`--help` answers at once. The answer goes to stdout, progress to stderr.
"""

from catsdogs.cli.checking import check
from catsdogs.cli.evaluation import compare, evaluate, explain
from catsdogs.cli.group import main
from catsdogs.cli.housekeeping import cache, info, sample
from catsdogs.cli.prediction import predict
from catsdogs.cli.reports import report, runs
from catsdogs.cli.training import finetune, train

__all__ = ["main"]

for command in (  # the order of use
    sample,
    check,
    train,
    finetune,
    predict,
    evaluate,
    compare,
    explain,
    report,
    runs,
    info,
    cache,
):
    main.add_command(command)
