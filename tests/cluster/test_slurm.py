"""Jobs for SLURM as text, as bash understands it."""

import subprocess

import pytest

from tests.in_process import tinyseg
from tinyseg.cluster.slurm import Job
from tinyseg.errors import InputError


def job(tmp_path, **settings):
    arguments = ("unet", "--data", "phantom:count=12,size=32", "--set", "seed=$(x) 'y'")
    return Job("train", arguments, tmp_path / "a b", **settings)


def directives(text):
    lines = [line.removeprefix("#SBATCH ") for line in text.splitlines() if "#SBATCH" in line]
    return dict(line.removeprefix("--").split("=", 1) for line in lines if "=" in line)


def test_directives(tmp_path):
    settings = {"minutes": 90, "notice": 300, "cpus": 4, "workers": 2, "seeds": 3}
    text = job(tmp_path, **settings, options=("--partition=gpu",)).script()
    assert text.startswith("#!/bin/bash\n#SBATCH ")
    found = directives(text)
    assert found == {
        "job-name": "tinyseg-train",
        "ntasks": "2",
        "cpus-per-task": "4",
        "time": "90",
        "signal": "B:USR1@300",
        "open-mode": "append",
        "output": f'"{tmp_path / "a b"}/slurm-%A_%a.out"',
        "array": "0-2",
        "partition": "gpu",
    }
    assert "#SBATCH --requeue\n" in text
    # A directive after the first command is not read.
    assert text.rindex("#SBATCH") < text.index("\noutput=")


def test_words_reach_the_verb_as_they_are(tmp_path):
    text = job(tmp_path).script()
    script = text.partition("progress()")[0] + 'printf "%s\\n" "${command[@]}"'
    printed = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    words = printed.stdout.splitlines()
    assert words[1:4] == ["-m", "tinyseg", "train"]
    assert words[4:] == [*job(tmp_path).arguments, "-o", str(tmp_path / "a b")]
    array = job(tmp_path, seeds=2).script().partition("progress()")[0]
    script = f'SLURM_ARRAY_TASK_ID=1\n{array}printf "%s\\n" "${{command[@]}}"'
    printed = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert printed.stdout.splitlines()[-4:] == ["--seed", "1", "-o", f"{tmp_path / 'a b'}/seed_1"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"notice": 60}, "--notice 60"),
        ({"minutes": 4}, "--minutes 4"),
        ({"minutes": 9, "notice": 300}, "--minutes 9: too few beside --notice 300; give 10 or"),
        ({"options": ("gpu",)}, "--sbatch"),
        ({"options": ("--x\nrm",)}, "--sbatch"),
    ],
)
def test_jobs_that_cannot_save_are_refused(tmp_path, settings, words):
    with pytest.raises(InputError, match=words):
        job(tmp_path, **settings).script()


def test_verb_writes_a_script_and_refuses_what_its_verb_would(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    wrong = tinyseg("slurm", "train", "unet", "--epoch", "x", "-o", folder)
    assert wrong.returncode == 2
    assert "--epoch" in wrong.stderr
    assert not folder.exists()
    array = tinyseg("slurm", "tune", "unet", "--space", "s.yaml", "--seeds", 2, "-o", folder)
    assert array.returncode == 2
    assert "an array is for 'train'" in array.stderr
    done = tinyseg("slurm", "train", "unet", "--epochs", 3, "-o", folder, "--minutes", 20)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(folder / "job.sh")
    assert directives((folder / "job.sh").read_text())["time"] == "20"
    monkeypatch.setenv("PATH", str(tmp_path))
    refused = tinyseg("slurm", "train", "unet", "-o", folder, "--submit")
    assert refused.returncode == 2
    assert "no 'sbatch' is here" in refused.stderr
