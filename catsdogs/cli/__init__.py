"""The command line: parse, call one command, print its answer, exit.

The only package that knows Click. Everything heavy is imported inside the callbacks, so that
`--help` answers at once. The answer goes to stdout, progress to stderr.
"""

from catsdogs.cli.backbones import backbones
from catsdogs.cli.cache import cache
from catsdogs.cli.check import check
from catsdogs.cli.compare import compare
from catsdogs.cli.curve import curve
from catsdogs.cli.evaluate import evaluate
from catsdogs.cli.explain import explain
from catsdogs.cli.export import export
from catsdogs.cli.finetune import finetune
from catsdogs.cli.group import main
from catsdogs.cli.info import info
from catsdogs.cli.manifest import manifest
from catsdogs.cli.next_photos import next_photos
from catsdogs.cli.predict import predict
from catsdogs.cli.report import report
from catsdogs.cli.review import review
from catsdogs.cli.runs import runs
from catsdogs.cli.sample import sample
from catsdogs.cli.serve import serve
from catsdogs.cli.train import train

__all__ = ["main"]

for command in (  # the order of use
    sample,
    check,
    manifest,
    review,
    curve,
    train,
    finetune,
    predict,
    next_photos,
    evaluate,
    compare,
    explain,
    report,
    export,
    serve,
    runs,
    backbones,
    info,
    cache,
):
    main.add_command(command)
