"""Jobs for SLURM: a verb that saves before its time is up, is queued again, and goes on."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tinyseg import files
from tinyseg.errors import InputError

# The controller may send the signal a minute early, and looks at limits once a minute.
LEAST_NOTICE, LEAST_MINUTES = 120, 5

_HEAD = """#!/bin/bash
#SBATCH --job-name=tinyseg-{verb}
#SBATCH --ntasks={workers}
#SBATCH --cpus-per-task={cpus}
#SBATCH --time={minutes}
#SBATCH --signal=B:USR1@{notice}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output="{log}"
"""
_BODY = """
output={output}
command=({command} -o "$output")
{each}
# What is on disk of the run: if it is the same after a whole allotment, another would not help.
progress() {{
    cat "$output"/checkpoint/checkpoint "$output"/trials/*/checkpoint/checkpoint \\
        "$output"/trials/*.json 2> /dev/null | cksum
}}
before=$(progress)
asked=
export OMP_NUM_THREADS={cpus} TF_NUM_INTRAOP_THREADS={cpus} TF_NUM_INTEROP_THREADS={cpus}
srun --kill-on-bad-exit=1 --cpus-per-task={cpus} "${{command[@]}}" &
child=$!
trap 'asked=1; kill -USR1 $child' USR1
trap 'kill -TERM $child' TERM
wait $child
code=$?
# A signal ends the waiting, not the work.
while kill -0 $child 2> /dev/null; do
    wait $child
    code=$?
done
test -n "$asked" && test $code -ne 0 || exit $code
count=${{SLURM_RESTART_COUNT:-0}}
if test "$(progress)" = "$before"; then
    echo "tinyseg: nothing was saved in the time of this job; give it more --minutes" >&2
    exit $code
fi
if test $count -ge {restarts}; then
    echo "tinyseg: was queued again $count times; submit it anew to go on" >&2
    exit $code
fi
echo "tinyseg: saved, queued again" >&2
scontrol requeue {task}
"""
_EACH = """output=$output/seed_$SLURM_ARRAY_TASK_ID
command=({command} --seed "$SLURM_ARRAY_TASK_ID" -o "$output")
"""


@dataclasses.dataclass(frozen=True)
class Job:
    """A job that runs a verb of tinyseg.

    Attributes:
        verb: ``train`` or ``tune``.
        arguments: of the verb, without ``-o``.
        output: folder of the results, on storage that all nodes share.
        minutes: after which SLURM ends it; it is queued again.
        notice: seconds before that at which it saves.
        cpus: a task.
        workers: tasks.
        seeds: so many jobs as an array, with the seeds 0, 1, ...; 0 for one job.
        restarts: at most so many times it is queued again.
        options: more lines for ``sbatch``, such as ``--partition=gpu``.
    """

    verb: str
    arguments: tuple[str, ...]
    output: Path
    minutes: int = 60
    notice: int = 180
    cpus: int = 1
    workers: int = 1
    seeds: int = 0
    restarts: int = 100
    options: tuple[str, ...] = ()

    def script(self) -> str:
        """Return the text for ``sbatch``.

        Raises:
            InputError: there is too little time to save, or an array that makes no sense.
        """
        self._check()
        output = self.output.resolve()
        name = "slurm-%A_%a.out" if self.seeds else "slurm-%j.out"
        head = _HEAD.format(**vars(self), log=output / name)
        if self.seeds:
            head += f"#SBATCH --array=0-{self.seeds - 1}\n"
        head += "".join(f"#SBATCH {option}\n" for option in self.options)
        words = [sys.executable, "-m", "tinyseg", self.verb, *self.arguments]
        command = shlex.join(words)
        return head + _BODY.format(
            output=shlex.quote(str(output)),
            command=command,
            each=_EACH.format(command=command) if self.seeds else "",
            restarts=self.restarts,
            cpus=self.cpus,
            # The number of an array's last task is that of the array.
            task="${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" if self.seeds else "$SLURM_JOB_ID",
        )

    def _check(self) -> None:
        if self.notice < LEAST_NOTICE:
            raise InputError(
                f"--notice {self.notice}: SLURM may be a minute late; give {LEAST_NOTICE} seconds "
                "or more"
            )
        if self.minutes < LEAST_MINUTES or self.minutes * 60 < 2 * self.notice:
            raise InputError(
                f"--minutes {self.minutes}: too few beside --notice {self.notice}; give "
                f"{max(LEAST_MINUTES, -(-2 * self.notice // 60))} or more"
            )
        if self.seeds and self.verb != "train":
            raise InputError(f"--seeds {self.seeds}: an array is for 'train'; 'tune' is one job")
        if any("\n" in option or not option.startswith("-") for option in self.options):
            raise InputError("--sbatch: takes one option of sbatch, such as --partition=gpu")


def write(job: Job, path: str | Path) -> Path:
    """Write a job's script, and make the folder that SLURM logs into."""
    text = job.script()
    job.output.mkdir(parents=True, exist_ok=True)
    return files.write_text(path, text)


def submit(path: str | Path) -> str:
    """Hand a script to SLURM and return the job's number.

    Raises:
        InputError: there is no SLURM here, or it refuses the job.
    """
    if not shutil.which("sbatch"):
        raise InputError(f"{path}: is written, but no 'sbatch' is here; submit it on a SLURM node")
    done = _sbatch(["sbatch", "--parsable", str(path)])
    if done.returncode:
        reason = " ".join(done.stderr.split())
        raise InputError(f"{path}: SLURM refuses it ({reason})")
    return done.stdout.strip().partition(";")[0]


def _sbatch(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
