"""The command line: one verb a stage. Work happens elsewhere and is imported when needed."""

from __future__ import annotations

import os
import sys

import click

import tinyseg
from tinyseg.cli import terminal
from tinyseg.cli.boards import (
    boards,
    doctor,
    emulate,
    export_c,
    flash,
    make_firmware,
)
from tinyseg.cli.calibrate import calibrate
from tinyseg.cli.cloud import sagemaker_train
from tinyseg.cli.cluster import slurm, tune
from tinyseg.cli.completion import complete
from tinyseg.cli.data import data
from tinyseg.cli.demo import demo
from tinyseg.cli.device import device
from tinyseg.cli.fitting import fit, lower
from tinyseg.cli.inside import inspect
from tinyseg.cli.memory import memory
from tinyseg.cli.networks import evaluate, predict, publish, train, zoo
from tinyseg.cli.profile import profile
from tinyseg.cli.serve import serve
from tinyseg.cli.tflite import quantize, report, verify
from tinyseg.cli.transfer import binarize, distill
from tinyseg.errors import LostWorker, TinysegError


class _Group(click.Group):
    """Lists verbs in the order of the work, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(tinyseg.__version__, prog_name="tinyseg")
@click.option("-v", "--verbose", is_flag=True, help="Show what TensorFlow and C++ parts print.")
def cli(verbose: bool) -> None:
    """Deploy medical image segmentation networks from Keras to microcontrollers.

    \b
    Examples:
      tinyseg quantize attention_unet_ds
      tinyseg data check path/to/images
      tinyseg train attention_unet_ds --data path/to/images
      tinyseg verify attention_unet_ds
      tinyseg emulate attention_unet_ds --board mps3_an547

    Exit codes: 0 all well, 1 a gate failed, 2 bad input; 143 and 138 after SIGTERM and SIGUSR1, at
    which a training saves its state for the same command to go on; 75 if one of several workers was
    lost.
    """
    terminal.quiet(verbose)


_NETWORKS = (
    zoo,
    data,
    train,
    tune,
    slurm,
    distill,
    binarize,
    evaluate,
    predict,
    demo,
    serve,
    inspect,
    quantize,
    verify,
    calibrate,
    profile,
    memory,
    lower,
    fit,
    report,
    publish,
)
_CLOUD = (sagemaker_train,)
_BOARDS = (boards, doctor, export_c, make_firmware, emulate, flash, device)
for _verb in (*_NETWORKS, *_BOARDS, *_CLOUD):
    cli.add_command(_verb)
complete(cli)


def main() -> None:
    """Run the command line; every expected failure ends in one line and its exit code."""
    terminal.collect_seldom()
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "tinyseg"
        _fail(f"{error.format_message()} (see '{command} --help')", 2)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted; nothing was left half-written", 130)
    except LostWorker as error:
        _print_error(str(error))
        # TensorFlow would wait at its end for the worker that is lost.
        os._exit(error.exit_code)
    except TinysegError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        _fail(f"{error.filename or 'file'}: {error.strerror or error}", 2)


def _fail(message: str, code: int) -> None:
    _print_error(message)
    sys.exit(code)


def _print_error(message: str) -> None:
    for line in message.splitlines():
        print(f"tinyseg: {line}", file=sys.stderr, flush=True)
