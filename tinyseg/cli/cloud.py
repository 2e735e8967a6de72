"""The verb that trains in a container of SageMaker."""

from __future__ import annotations

from pathlib import Path

import click

from tinyseg.cli.options import JSON, print_trained


@click.command("sagemaker-train")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    default=Path("/opt/ml"),
    show_default=True,
    help="Folder that stands for /opt/ml.",
)
@JSON
def sagemaker_train(root: Path, as_json: bool) -> None:
    """Train as SageMaker asks a container to: what and on what stands below /opt/ml.

    Hyperparameters are keys of the plan (training.epochs, or epochs, batch_size, lr), model, data,
    recipe, watch and stop_on. Writes weights and integer file to model/, the state of the run to
    checkpoints/ and what went wrong to output/failure. See docs/cloud.md.

    \b
    Example: tinyseg sagemaker-train --root build/opt-ml
    """
    from tinyseg.cloud.sagemaker import run_job

    if trained := run_job(root):
        print_trained(trained, as_json)
