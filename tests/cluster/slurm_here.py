"""A SLURM of one node on this machine: munged, slurmctld and slurmd, without systemd or cgroups."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tinyseg.cluster.launching import free_ports

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")
_SETTINGS = """
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
JobRequeue=1
KillWait=30
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> list[str]:
    """Programs that are not here; 'make slurm' installs them."""
    return [name for name in PROGRAMS if not shutil.which(name, path=_path())]


def _path() -> str:
    return os.environ["PATH"] + os.pathsep + "/usr/sbin"


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[Path]:
    """Run SLURM; its commands find it by SLURM_CONF, which is set meanwhile."""
    (folder / "state").mkdir(parents=True)
    (folder / "spool").mkdir()
    host, ports = socket.gethostname().partition(".")[0], free_ports(2)
    conf = folder / "slurm.conf"
    conf.write_text(_SETTINGS.format(host=host, folder=folder, controller=ports[0], node=ports[1]))
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(conf)
    own = _munge()
    daemons = [
        subprocess.Popen([shutil.which(name, path=_path()), "-D", *more, "-f", str(conf)],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for name, more in (("slurmctld", ["-c"]), ("slurmd", []))
    ]  # fmt: skip
    try:
        wait_for(lambda: "idle" in output("sinfo", "-h", "-o", "%t"), 60)
        yield folder
    finally:
        subprocess.run(["scancel", "--full", "--user", "root"], check=False)
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)
        if own:
            own.terminate()
            own.wait(10)
        os.environ.pop("SLURM_CONF")
        if before:
            os.environ["SLURM_CONF"] = before


def _munge() -> subprocess.Popen | None:
    """Start the daemon that signs messages, unless it runs."""
    if not subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode:
        return None
    for name in ("run", "var/log", "var/lib"):
        path = Path("/") / name / "munge"
        subprocess.run(
            ["install", "-d", "-o", "munge", "-g", "munge", "-m", "755", path], check=True
        )
    munged = shutil.which("munged", path=_path())
    own = subprocess.Popen(["runuser", "-u", "munge", "--", munged, "-F"])
    wait_for(lambda: not subprocess.run(["munge", "-n"], capture_output=True).returncode, 30)
    return own


def output(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def state(job: str) -> str:
    """What SLURM says of a job, such as PENDING or COMPLETED; empty if it forgot it."""
    return output("squeue", "-h", "-j", job, "-t", "all", "-o", "%T").strip()


def wait_for(done, seconds: float) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.3)
