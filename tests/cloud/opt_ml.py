"""The folders that SageMaker lays out for a container."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2

from tinyseg import data


def lay_out(root: Path, hyperparameters: dict[str, Any], hosts: tuple[str, ...] = ("algo-1",)):
    """Write what the service writes: all hyperparameters are text."""
    config = root / "input" / "config"
    config.mkdir(parents=True)
    texts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in hyperparameters.items()
    }
    contents = {
        "hyperparameters": texts,
        "resourceconfig": {"current_host": hosts[0], "hosts": list(hosts)},
        "inputdataconfig": {
            "training": {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"}
        },
    }
    for name, content in contents.items():
        (config / f"{name}.json").write_text(json.dumps(content))
    for name in ("model", "output", "checkpoints"):
        (root / name).mkdir()


def put_images(root: Path, count: int, size: int, channel: str = "training"):
    """Write phantoms with their masks as a channel."""
    folder = root / "input" / "data" / channel
    phantoms = data.load(f"phantom:count={count},size={size}")
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for sample in phantoms.samples:
        image, mask = phantoms.read(sample)
        name = f"{sample.name.replace('/', '_')}.png"
        cv2.imwrite(str(folder / "images" / name), image)
        cv2.imwrite(str(folder / "masks" / name), 255 * mask)
