"""Measure speed and memory on this machine and write them to build/bench.json.

    python -m tests.benchmarks.bench [--output FILE] [--model NAME] [--only NAME]

``--only engine`` measures our engine and TFLM on emulated boards instead, into
docs/experiments/engine.json; it takes further options, see tests/benchmarks/engine.py.

Compare ratios, not single times: machines are noisy. Uses BUSI if $TINYSEG_DATA holds it,
else phantoms written as PNG files.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import psutil

from tests.benchmarks import engine
from tests.benchmarks.loaders import compare, write_volumes
from tinyseg import data, files, plan, presets
from tinyseg.cli import terminal
from tinyseg.data.phantom import load_phantom
from tinyseg.data.store import open_store
from tinyseg.errors import InputError

ROUNDS = 3


def naive_loop(samples, processing, batch_size, rng):
    """Yield batches as notebooks do: read, resize and augment each image in every epoch."""
    size = (processing.width, processing.height)
    order = rng.permutation(len(samples))
    for start in range(0, len(samples), batch_size):
        images, masks = [], []
        for row in order[start : start + batch_size]:
            image = cv2.cvtColor(cv2.imread(str(samples[row].image)), cv2.COLOR_BGR2RGB)
            mask = np.zeros(image.shape[:2], np.uint8)
            for path in samples[row].masks:
                mask |= cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            mask = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
            if rng.random() < 0.5:
                image, mask = image[:, ::-1], mask[:, ::-1]
            turn = cv2.getRotationMatrix2D(
                (size[0] / 2, size[1] / 2), rng.uniform(-12, 12), rng.uniform(0.85, 1.2)
            )
            image = cv2.warpAffine(image, turn, size, borderMode=cv2.BORDER_REFLECT)
            mask = cv2.warpAffine(
                mask, turn, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT
            )
            image = image.astype(np.float32) / 255
            image = (image - 0.5) * rng.uniform(0.75, 1.3) + 0.5 + rng.uniform(-0.12, 0.12)
            images.append(image.clip(0, 1))
            masks.append((mask > 127).astype(np.float32)[..., None])
        yield np.stack(images), np.stack(masks)


def input_pipeline(folder):
    """Return images a second of the naive loop and of tinyseg's pipeline, in alternating rounds."""
    from tinyseg.data.pipeline import training_batches

    processing = plan.PreprocessingPlan()
    busi = Path(os.environ.get("TINYSEG_DATA", ""), "busi", "Dataset_BUSI_with_GT")
    if os.environ.get("TINYSEG_DATA") and busi.is_dir():
        dataset = data.load(busi)
    else:
        dataset = data.load(_phantom_files(folder))
    start = time.perf_counter()
    store = open_store(dataset, processing)
    first_decode = time.perf_counter() - start
    batches = iter(training_batches(store, processing, 8))
    steps = -(-len(store) // 8)
    for _ in range(steps):  # Let both fill the file cache and start their threads.
        next(batches)
    rates = {"naive": [], "tinyseg": []}
    rng = np.random.default_rng(0)
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in naive_loop(dataset.samples, processing, 8, rng):
            pass
        rates["naive"].append(len(store) / (time.perf_counter() - start))
        start = time.perf_counter()
        for _ in range(steps):
            next(batches)
        rates["tinyseg"].append(len(store) / (time.perf_counter() - start))
    ratios = [ours / naive for ours, naive in zip(rates["tinyseg"], rates["naive"], strict=True)]
    return {
        "dataset": dataset.name,
        "images": len(store),
        "first_decode_s": first_decode,
        "naive_images_per_s": statistics.median(rates["naive"]),
        "tinyseg_images_per_s": statistics.median(rates["tinyseg"]),
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
    }


def _phantom_files(folder):
    phantoms = load_phantom(120)
    for sample in phantoms.samples:
        image, mask = phantoms.read(sample)
        for kind, values in (("images", image), ("masks", mask * 255)):
            path = Path(folder, kind, f"{sample.name}.png")
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), values)
    return folder


def quantize(model, folder):
    """Return wall time and peak memory, children included, of ``tinyseg quantize``."""
    command = [sys.executable, "-m", "tinyseg", "quantize", model, "-o", str(folder)]
    peak = 0
    start = time.perf_counter()
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)

    def watch():
        nonlocal peak
        while process.poll() is None:
            try:
                family = [process, *process.children(recursive=True)]
                peak = max(peak, sum(member.memory_info().rss for member in family))
            except psutil.NoSuchProcess:
                pass
            time.sleep(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    watcher.join()
    return {
        "exit_code": code,
        "wall_s": time.perf_counter() - start,
        "peak_memory_bytes": peak,
    }


def inference(model):
    """Return seconds an image of the shipped int8 file on the host; TFLM's start included."""
    from tinyseg.runtime.tflite import TfliteRunner
    from tinyseg.runtime.tflm import TflmRunner
    from tinyseg.tflite import TfliteModel

    file = TfliteModel.read(presets.find_tflite(model, None, "static_wi8_ai8"))
    runners = {
        "tflite_optimised": (TfliteRunner(file, reference=False), 10),
        "tflite_reference": (TfliteRunner(file), 2),
        "tflm": (TflmRunner(file), 2),
    }
    seconds = {}
    for name, (runner, count) in runners.items():
        image = np.zeros((1, *runner.input.shape[1:]), runner.input.dtype)
        runner.run(image)
        times = []
        for _ in range(count):
            start = time.perf_counter()
            runner.run(image)
            times.append(time.perf_counter() - start)
        seconds[f"{name}_s"] = statistics.median(times)
    return seconds


def training_step():
    """Return seconds a training step of blu_net and of its float counterpart, and their ratio."""
    from tinyseg.training.losses import BceDiceLoss

    images, masks = np.random.default_rng(0).random((2, 4, 96, 96, 1), np.float32)
    models = {name: _small(name) for name in ("lw_unet", "blu_net")}
    times = {name: [] for name in models}
    for model in models.values():
        model.compile("adam", BceDiceLoss())
        model.train_on_batch(images, masks)
    for _ in range(5 * ROUNDS):
        for name, model in models.items():
            start = time.perf_counter()
            model.train_on_batch(images, masks)
            times[name].append(time.perf_counter() - start)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    return {
        **{f"{n}_s": s for n, s in seconds.items()},
        "ratio": seconds["blu_net"] / seconds["lw_unet"],
    }


def emission():
    """Return seconds from a small and the full-width blu_net to the packed file, and its bytes."""
    from tinyseg.steps.convert import to_integers
    from tinyseg.zoo import build
    from tinyseg.zoo.blocks.residual_binary_convolution import fit_gammas

    result = {}
    for name, model, size in (
        ("small", _small("blu_net"), 96),
        ("full", build("blu_net", {}, (256, 256, 1)), 256),
    ):
        fit_gammas(model)
        images = np.random.default_rng(0).random((2, size, size, 1), np.float32)
        processing = plan.PreprocessingPlan(size, size, 1)
        start = time.perf_counter()
        content, _ = to_integers(model, plan.Plan(preprocessing=processing), images)
        result[f"{name}_s"] = time.perf_counter() - start
        result[f"{name}_bytes"] = len(content)
    return result


def _small(name):
    from tinyseg.zoo import build

    arguments = {"base_width": 16, "depth": 3}
    return build(name, arguments, (96, 96, 1))


def _chain(content, operators):
    """Return the last operator of a file, repeated."""
    from tinyseg.tflite.graph import Graph, activation

    graph = Graph(content)
    last = graph.operators[-1]
    graph.inputs[:] = last.inputs
    graph.operators[:], source = [], last.inputs[0]
    for number in range(operators):
        target = activation(f"chain_{number}", source.shape, source)
        graph.operators.append(last.clone([source], target))
        source = target
    graph.outputs[:] = [source]
    return graph.without_signature().to_bytes()


def lowering():
    """Return seconds of the passes on the shipped network, and how they grow with operators."""
    from tinyseg.tflite import TfliteModel
    from tinyseg.tflite.arena.memory import predict_arena
    from tinyseg.tflite.lowering import lower

    model = TfliteModel.read("models/attention_unet_ds/phantom/attention_unet_ds.tflite")
    result = {}
    for name, patches in (("exact", False), ("strips", True)):
        start = time.perf_counter()
        lowered = lower(model, patches=patches)
        result[f"{name}_seconds"] = time.perf_counter() - start
        result[f"{name}_operators"] = len(lowered.model.operators)
        result[f"{name}_arena_bytes"] = lowered.steps[-1].arena_bytes
    for operators in (500, 1000, 2000):
        chain = TfliteModel.parse(_chain(model.content, operators))
        process = psutil.Process()
        before, start = process.memory_info().rss, time.perf_counter()
        lower(chain, without=["placement"])
        seconds = time.perf_counter() - start
        grown = (process.memory_info().rss - before) / operators
        start = time.perf_counter()
        predict_arena(chain)
        result[f"{operators}_operators"] = {
            "lower_ms_each": 1000 * seconds / operators,
            "predict_ms_each": 1000 * (time.perf_counter() - start) / operators,
            "resident_bytes_each": grown,
        }
    return result


def startup():
    """Return seconds of ``tinyseg --help``, and their ratio to a bare start of Python and click."""
    commands = {
        "click": [sys.executable, "-c", "import click"],
        "help": [sys.executable, "-m", "tinyseg", "--help"],
    }
    times = {name: [] for name in commands}
    for _ in range(5 * ROUNDS):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - start)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    return {
        **{f"{n}_s": s for n, s in seconds.items()},
        "ratio": seconds["help"] / seconds["click"],
    }


def loaders(folder):
    """Return how much faster datasets come than from plain loops, those that are there.

    Where none is, volumes of BraTS's size are written and measured.
    """
    found = {
        source: n
        for source, n in {"busi": 1, "dsb2018": 3, "brats_nifti": 2}.items()
        if _is_there(source)
    }
    if not found:
        found = {str(write_volumes(folder / "volumes")): 4}
    # An empty cache, so that decoding is measured.
    with mock.patch.dict(os.environ, TINYSEG_CACHE=str(folder / "cache")):
        return {
            source: compare(data.load(source), plan.PreprocessingPlan(256, 256, channels), ROUNDS)
            for source, channels in found.items()
        }


def _is_there(source):
    try:
        data.find(source)
    except InputError as error:
        print(f"loaders: without {source}: {error}")
        return False
    return True


BENCHMARKS = {
    "input_pipeline": lambda model, folder: input_pipeline(folder),
    "loaders": lambda model, folder: loaders(folder),
    "quantize": lambda model, folder: quantize(model, folder / "quantize"),
    "inference": lambda model, folder: inference(model),
    "training_step": lambda model, folder: training_step(),
    "emission": lambda model, folder: emission(),
    "lowering": lambda model, folder: lowering(),
    "startup": lambda model, folder: startup(),
}
# What takes an hour runs only when it is asked for.
ENGINE = "engine"


def main():
    """Run all benchmarks."""
    terminal.quiet(verbose=False)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="build/bench.json")
    parser.add_argument("--model", default="attention_unet_ds")
    parser.add_argument("--only", choices=[*BENCHMARKS, ENGINE])
    arguments, rest = parser.parse_known_args()
    if arguments.only == ENGINE:
        engine.main(rest)
        return
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    chosen = [arguments.only] if arguments.only else list(BENCHMARKS)
    with tempfile.TemporaryDirectory() as folder:
        results = {name: BENCHMARKS[name](arguments.model, Path(folder)) for name in chosen}
    results["machine"] = {"cpus": os.cpu_count(), **plan.provenance()}
    files.write_json(arguments.output, results)
    for name in chosen:
        print(name, *(f"  {key}: {value}" for key, value in results[name].items()), sep="\n")
    print(arguments.output)


if __name__ == "__main__":
    main()
