"""What a container runs: ``train`` and ``serve`` as SageMaker asks, else the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tinyseg.cloud.sagemaker import ROOT, served_file
from tinyseg.errors import TinysegError

ROOT_VARIABLE, REPLICAS_VARIABLE = "TINYSEG_ML_ROOT", "TINYSEG_REPLICAS"
_PORT_VARIABLE, _PORT = "SAGEMAKER_BIND_TO_PORT", "8080"


def command(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Return the arguments of ``tinyseg`` that a container's arguments stand for.

    Args:
        arguments: of the container: ``train``, ``serve``, or those of a verb.
        environment: ``TINYSEG_ML_ROOT`` instead of ``/opt/ml``, ``TINYSEG_REPLICAS`` as
            ``MIN:MAX``, ``SAGEMAKER_BIND_TO_PORT`` instead of 8080.

    Raises:
        InputError: there is no file to serve.
    """
    root = Path(environment.get(ROOT_VARIABLE, ROOT))
    if list(arguments) == ["train"]:
        return ["sagemaker-train", "--root", str(root)]
    if list(arguments) != ["serve"]:
        return list(arguments)
    port = environment.get(_PORT_VARIABLE, _PORT)
    replicas = environment.get(REPLICAS_VARIABLE, f"1:{os.cpu_count() or 1}")
    file = str(served_file(root))
    return ["serve", file, "--host", "0.0.0.0", "--port", port, "--replicas", replicas]


def main() -> None:
    """Run the container."""
    try:
        arguments = command(sys.argv[1:], os.environ)
    except TinysegError as error:
        sys.exit(f"tinyseg: {error}")
    # In this process' place, so that signals reach it.
    os.execv(sys.executable, [sys.executable, "-m", "tinyseg", *arguments])


if __name__ == "__main__":
    main()
