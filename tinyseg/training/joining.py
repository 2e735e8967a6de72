"""Which worker this process is, by TF_CONFIG, SLURM or SageMaker; and how it joins the others."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tinyseg.errors import InputError

if TYPE_CHECKING:
    from tinyseg.training.workers import Workers

_SAGEMAKER = Path("/opt/ml/input/config/resourceconfig.json")
_SAGEMAKER_PORT = 7777
# Jobs on one node get ports of their own, 64 each.
_PORTS, _PORT_STEP, _PORT_RANGES = 10_000, 64, 780


class Place(NamedTuple):
    """Where the workers are, and which of them this process is."""

    addresses: tuple[str, ...]
    rank: int


def find_place(
    count: int, environment: Mapping[str, str], resources: Path = _SAGEMAKER
) -> Place | None:
    """Return this process's place among workers; None if nobody has given it one.

    Args:
        count: of workers that are asked for.
        environment: variables: TF_CONFIG, else those of SLURM or SageMaker.
        resources: SageMaker's description of the hosts.

    Raises:
        InputError: another number of workers was started, or TF_CONFIG is malformed.
    """
    place = (
        _by_config(environment) or _by_slurm(environment) or _by_sagemaker(environment, resources)
    )
    if place and len(place.addresses) != count:
        raise InputError(
            f"--workers {count}: {len(place.addresses)} were started; give that number"
        )
    return place


def _by_config(environment: Mapping[str, str]) -> Place | None:
    text = environment.get("TF_CONFIG")
    if not text:
        return None
    try:
        values = json.loads(text)
        cluster, task = values["cluster"], values["task"]
        # The chief, where it has a name of its own, comes first.
        addresses = (*cluster.get("chief", ()), *cluster["worker"])
        first = len(cluster.get("chief", ())) if task["type"] == "worker" else 0
        return Place(tuple(addresses), first + int(task["index"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            'TF_CONFIG: is not {"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": '
            '"worker", "index": 0}}'
        ) from None


def _by_slurm(environment: Mapping[str, str]) -> Place | None:
    if int(environment.get("SLURM_STEP_NUM_TASKS", 1)) < 2:
        return None
    import tensorflow as tf

    job = int(environment["SLURM_JOB_ID"])
    # Devices are SLURM's to give: the numbers only have to fit the tasks of a node.
    most = int(environment["SLURM_STEP_NUM_TASKS"])
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
        port_base=_PORTS + _PORT_STEP * (job % _PORT_RANGES),
        gpus_per_node=most,
        gpus_per_task=1,
        auto_set_gpu=False,
    )
    addresses = resolver.cluster_spec().as_dict()["worker"]
    return Place(tuple(addresses), int(environment["SLURM_PROCID"]))


def _by_sagemaker(environment: Mapping[str, str], resources: Path) -> Place | None:
    if "SM_HOSTS" in environment:
        hosts, current = json.loads(environment["SM_HOSTS"]), environment["SM_CURRENT_HOST"]
    elif resources.is_file():
        values = json.loads(resources.read_text())
        hosts, current = values["hosts"], values["current_host"]
    else:
        return None
    return place_of_host(hosts, current)


def place_of_host(hosts: Sequence[str], current: str) -> Place | None:
    """Return the place of one of SageMaker's hosts; None if it is the only one.

    Raises:
        InputError: the host is none of them.
    """
    hosts = sorted(hosts)
    if current not in hosts:
        raise InputError(f"resourceconfig.json: current_host '{current}' is not in hosts")
    if len(hosts) < 2:
        return None
    return Place(tuple(f"{host}:{_SAGEMAKER_PORT}" for host in hosts), hosts.index(current))


def join(place: Place) -> Workers:
    """Wait for the other workers and return this one; before TensorFlow has done anything."""
    addresses, rank = place
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
    )
    import tensorflow as tf

    from tinyseg.training.workers import Workers

    gpus = tf.config.list_physical_devices("GPU")
    kinds = tf.distribute.experimental.CommunicationImplementation
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=kinds.AUTO if gpus else kinds.RING
    )
    strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    return Workers(strategy, rank, len(addresses))
