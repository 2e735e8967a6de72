"""Write the report of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinyseg import files
from tinyseg.operating_point import OperatingPoint
from tinyseg.reporting import pages, pictures
from tinyseg.reporting.examples import Classified, confusion_matrix, draw
from tinyseg.reporting.numbers import (
    count,
    decibels,
    false_alarms,
    missed_lesions,
    percent,
    score,
    size,
)
from tinyseg.scoring.scores import SCORES, lesions

_MASK_SCORES = {
    "dice": "Dice",
    "iou": "IoU",
    "precision": "prec.",
    "recall": "recall",
    "specificity": "specif.",
    "pixel_accuracy": "pixel acc.",
    "hd95": "HD95",
}
_CLASS_SCORES = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "confidence": "confidence",
    "baseline_accuracy": "always the commonest class",
}
_CAPTIONS = {
    "examples.jpg": "Held-out images, worst first, with what is true and what both networks say.",
    "dice.png": "Dice of every held-out image, in ascending order.",
    "confusion.png": "Held-out images of each class, and what the integer network says of them.",
    "curves.png": "Training history of the float network.",
    "sqnr.png": "Signal-to-quantization-noise ratio of each operator's output on one image.",
}


def write(
    run: dict[str, Any],
    examples: Sequence[pictures.Example] | Sequence[Classified],
    history: Sequence[dict[str, str]],
    folder: str | Path,
    verdict: Sequence[str] = (),
) -> list[Path]:
    """Write ``report.html`` (self-contained), ``report.md`` with its pictures, ``report.json``.

    Args:
        run: plain values; stored as they are in the JSON file.
        examples: to be shown, in the order wanted.
        history: rows of ``history.csv``; empty if there is none.
        folder: where the files go.
        verdict: lines on whether it passed and where it fits.

    Returns:
        The paths of HTML, Markdown and JSON.
    """
    folder = Path(folder)
    images = {}
    if examples:
        images["examples.jpg"] = draw(examples)
    tested = run["test"]["integer"]
    if run["task"] == "segmentation":
        images["dice.png"] = pictures.scores(run["test_images"], "Dice")
    if "confusion" in tested:
        images["confusion.png"] = confusion_matrix(tested["confusion"], list(tested["classes"]))
    if history:
        images["curves.png"] = pictures.curves(history)
    if any(row["sqnr_db"] is not None for row in run["verification"]["sqnr"]):
        images["sqnr.png"] = pictures.sqnr(run["verification"]["sqnr"])
    for name, content in images.items():
        files.write_bytes(folder / name, content)
    context = {
        "run": run,
        "verdict": verdict,
        "tables": tables(run),
        "pictures": pages.with_captions(images, _CAPTIONS),
    }
    written = [
        files.write_text(folder / name, pages.render(name, **context))
        for name in ("report.html", "report.md")
    ]
    return [*written, files.write_json(folder / "report.json", run)]


def tables(run: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the report's tables: ``{"title", "note", "header", "rows"}`` of formatted text."""
    always = [
        _accuracy(run),
        _both_kinds(run),
        _same_images(run),
        _cost(run),
        _bounds(run),
        _layers(run),
    ]
    return [*always, *_watched(run.get("watched"))]


def _watched(watched: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return a table of what the rules found in the training run; none if they did not watch."""
    if not watched:
        return []
    by_rule: dict[str, list[dict[str, Any]]] = {}
    for found in watched["found"]:
        by_rule.setdefault(found["rule"], []).append(found)
    rows = []
    for rule, found in by_rule.items():
        epochs = sorted({each["epoch"] for each in found})
        layers = list(dict.fromkeys(each["layer"] for each in found if each["layer"]))
        more = f" and {len(layers) - 3} more" if len(layers) > 3 else ""
        span = f"{epochs[0]} to {epochs[-1]}" if len(epochs) > 1 else str(epochs[0])
        where = ", ".join(layers[:3]) + more
        rows.append([rule, span, where, found[-1]["says"], watched["rules"][rule]["cure"]])
    note = f"Rules that watched the training, with {watched['preset']} thresholds."
    note += "" if rows else " None found anything."
    header = ["rule", "epochs", "where", "last", "cure"]
    rows = rows or [["none", "", "", "", ""]]
    return [{"title": "Training", "note": note, "header": header, "rows": rows}]


def _accuracy(run: dict[str, Any]) -> dict[str, Any]:
    return (_class_accuracy if run["task"] == "classification" else _mask_accuracy)(run)


def _mask_accuracy(run: dict[str, Any]) -> dict[str, Any]:
    test = run["test"]
    networks = {"float32": test["float"], run["recipe"]: test["integer"]}
    if "background" in test:
        networks["nothing predicted"] = test["background"]
    rows = []
    for name, scores in networks.items():
        parts = {"image mean": scores, "pooled": scores["pooled"]}
        if "with_lesion" in scores:
            ill = scores["with_lesion"]
            parts[f"image mean of the {ill['images']} with lesion"] = ill
        rows += [
            [f"{name}, {part}", *(score(values.get(key)) for key in _MASK_SCORES)]
            for part, values in parts.items()
        ]
    return {
        "title": f"Accuracy on {test['integer']['images']} held-out images",
        "note": f"{_kernels(run)} An image without foreground scores Dice = IoU = 1 if nothing "
        "is predicted, else 0. Pixel accuracy flatters: most pixels are background. HD95 is a "
        "distance in pixels.",
        "header": ["network", *_MASK_SCORES.values()],
        "rows": rows,
    }


def _both_kinds(run: dict[str, Any]) -> dict[str, Any]:
    """Return what becomes of held-out images with a lesion and without; no rows of classes."""
    test = run["test"]
    networks = {"float32": test["float"], run["recipe"]: test["integer"]}
    known = {name: scores for name, scores in networks.items() if "false_alarms" in scores}
    point = OperatingPoint(**run.get("operating_point", {}))
    return {
        "title": "Images with and without a lesion",
        "note": f"Operating point: {point.described()}. Missed: no pixel of the lesion is found. "
        "False alarm: something is marked where there is none.",
        "header": ["network", "Dice with lesion", "Dice, all", "missed", "false alarms"],
        "rows": [
            [
                name,
                score(lesions(scores)["dice"]),
                score(scores["dice"]),
                missed_lesions(scores),
                false_alarms(scores),
            ]
            for name, scores in known.items()
        ],
    }


def _kernels(run: dict[str, Any]) -> str:
    """Say on which kernels the integer file was scored."""
    return f"{run['recipe']} is scored on {run['test']['integer']['kernels']}."


def _class_accuracy(run: dict[str, Any]) -> dict[str, Any]:
    test = run["test"]
    return {
        "title": f"Accuracy on {test['integer']['images']} held-out images",
        "note": f"{_kernels(run)} Precision, recall and F1 are means over classes.",
        "header": ["network", *_CLASS_SCORES.values()],
        "rows": [
            [label, *(score(test[key][name]) for name in _CLASS_SCORES)]
            for key, label in (("float", "float32"), ("integer", run["recipe"]))
        ],
    }


def _same_images(run: dict[str, Any]) -> dict[str, Any]:
    check = run["verification"]
    # Runs of before the engine took part have neither figure.
    images, engine = len(check["images"]), check.get("engine_images", 0)
    few = check.get("tflm_images", images)
    labels = {
        "float": "Keras, float32",
        "int8": "tinyseg's engine" if engine else "TFLite, reference kernels",
        "tflm": _of_images("TFLite Micro", few, images),
    }
    device, scores = check["device"], SCORES[run["task"]]
    whose = "Engine, TFLM" if engine else "TFLM"
    equal = "equal" if check["bit_exact"] else "DIFFER"
    note = f"{whose} and TFLite reference bytes {equal}{'' if few == images else f' on {few}'}."
    shown = f"The same {images}" if few == images else f"{images} verified"
    if device:
        labels["device"] = _of_images(device["board"], len(device["work"]), images)
        note += f" Those of {device['board']} {'equal' if device['bit_exact'] else 'DIFFER'}."
    if "with_lesion" in run["test"]["integer"]:
        note += " Scores are means of all of them; an image without foreground counts 0 or 1."
    return {
        "title": f"{shown} images on every backend",
        "note": note,
        "header": ["backend", *(title for _, title in scores)],
        "rows": [
            [label, *(score(check[name][key]) for name, _ in scores)]
            for key, label in labels.items()
        ],
    }


def _of_images(name: str, count: int, images: int) -> str:
    return name if count == images else f"{name}, {count} of them"


def _cost(run: dict[str, Any]) -> dict[str, Any]:
    profile, check = run["profile"], run["verification"]
    device = check["device"]
    rows = [
        [".tflite file (flash)", size(run["file_bytes"])],
        ["tensor arena, TFLM on the host", size(check["arena_bytes"])],
        ["parameters", count(run["model"]["parameters"])],
        ["MACs", count(run["model"]["macs"])],
    ]
    if profile:
        rows[2:2] = [["RAM, MLTK (32-bit core)", size(profile["ram_bytes"])]]
        rows += [
            ["operations, MLTK", count(profile["ops"])],
            ["operators", count(profile["operators"])],
            ["operators MLTK does not support", count(profile["unsupported_layers"])],
        ]
    if device:
        board = device["board"]
        rows += [
            [f"tensor arena, {board}", size(device["arena_used"])],
            [f"stack, {board}", size(device["stack_used"])],
            [
                f"{device['unit']}, {board}, mean of {len(device['work'])} images",
                count(sum(device["work"]) // len(device["work"])),
            ],
        ]
    return {"title": "Size and work", "note": "", "header": ["quantity", "value"], "rows": rows}


def _bounds(run: dict[str, Any]) -> dict[str, Any]:
    profile = run["profile"] or {"bound_cycles": {}}
    return {
        "title": "No faster than",
        "note": "Lower bounds from peak MAC rate and memory width, not estimates; real kernels "
        "need two to ten times as many cycles.",
        "header": ["core", "cycles at least"],
        "rows": [
            [key.replace("_", "-").replace("cortex-m", "Cortex-M"), count(cycles)]
            for key, cycles in profile["bound_cycles"].items()
        ],
    }


def _layers(run: dict[str, Any]) -> dict[str, Any]:
    layers = (run["profile"] or {}).get("layers", [])
    noise = {row["operator"]: row["sqnr_db"] for row in run["verification"]["sqnr"]}
    missing = sum(layer["estimate"] == "none" for layer in layers)
    total = max(sum(layer["macs"] for layer in layers), 1)
    estimate = {"none": lambda layer: "no estimate", "mltk": _cycles}
    device = run["verification"]["device"]
    measured = dict(enumerate(device["operator_work"])) if device else {}
    column = [f"{device['unit']} ({device['board']})"] if device else []
    return {
        "title": "Layer by layer",
        "note": f"MLTK has no cycle estimate for {missing} of {len(layers)} operators"
        + (" (its estimator is downloaded, and was not)." if missing == len(layers) else "."),
        "header": [
            "#",
            "operator",
            "layer",
            "MACs",
            "share",
            "cycles (MLTK)",
            *column,
            "SQNR",
            "output",
        ],
        "rows": [
            [
                str(layer["index"]),
                layer["opcode"],
                layer["layer"],
                count(layer["macs"]),
                percent(layer["macs"] / total),
                estimate.get(layer["estimate"], _implausible)(layer),
                *([count(measured.get(layer["index"]))] if device else []),
                decibels(noise.get(layer["index"])),
                layer["outputs"],
            ]
            for layer in layers
        ],
    }


def _cycles(layer: dict[str, Any]) -> str:
    return f"{count(layer['cycles'])} (estimate)"


def _implausible(layer: dict[str, Any]) -> str:
    bound = layer["bound_cycles"]["cortex_m33"]
    return f"{count(layer['cycles'])} (beats the core's ceiling; at least {count(bound)})"
