"""What networks take on our own engine and on TFLM, from the figures that the benchmark stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinyseg import files
from tinyseg.experiments.rounds import markdown_table
from tinyseg.reporting.numbers import count

STORED = Path("docs/experiments/engine.json")
PAGE, PICTURE = Path("docs/experiments/engine.md"), Path("docs/experiments/engine.png")
CORES = {
    "mps2_an386": "Cortex-M4",
    "mps2_an500": "Cortex-M7",
    "mps2_an505": "Cortex-M33",
    "mps3_an547": "Cortex-M55",
}
OWN, LESS, TFLM = "tinyseg", "less memory", "tflm"
_FORMS = {OWN: "engine", LESS: "engine, less memory", TFLM: "TFLM, CMSIS-NN"}
# Those of the short table and of the picture.
_SHOWN = ("mps2_an500", "mps3_an547")
_NONE = "-"

Figures = Mapping[str, Any]


def overview(results: Figures) -> str:
    """Return the short table: memory and instructions on two cores, beside those of TFLM."""
    header = ["network", "MACs"]
    for board in _SHOWN:
        core = CORES[board].removeprefix("Cortex-")
        header += [f"RAM and instructions on {core}", "with less memory", "TFLM takes"]
    rows = []
    for name, network in results["networks"].items():
        row = [f"`{name}`", _millions(network["macs"])]
        for board in _SHOWN:
            forms = network["boards"].get(board, {})
            row += [_both(forms.get(OWN)), _both(forms.get(LESS)), _times(forms)]
        rows.append(row)
    return markdown_table(header, rows)


def _millions(value: float) -> str:
    return f"{value / 1e6:,.1f} M"


def memory(figures: Figures) -> int:
    """Return the bytes of RAM of a network: rows or tensor arena, and the stack if it is known."""
    return figures["memory_bytes"] + (figures["stack_bytes"] or 0)


def _both(figures: Figures | None) -> str:
    if figures is None:
        return _NONE
    return f"{memory(figures) / 1e3:,.0f} kB, {_millions(figures['instructions'])}"


def _times(forms: Mapping[str, Figures]) -> str:
    """Return how much more TFLM takes than our engine, and than it does with less memory."""
    own = [forms[form] for form in (OWN, LESS) if form in forms]
    if not own or TFLM not in forms:
        return _NONE
    tflm = forms[TFLM]
    ram = [f"{memory(tflm) / memory(one):.1f}" for one in own]
    work = [f"{tflm['instructions'] / one['instructions']:.1f}" for one in own]
    return f"{_range(ram)} x RAM, {_range(work)} x instructions"


def _range(figures: Sequence[str]) -> str:
    return " to ".join(dict.fromkeys(figures))


def details(results: Figures, board: str) -> str:
    """Return every figure of a board."""
    header = (
        "network", "runs on", "RAM, bytes", "stack", "instructions", "a MAC", "code",
        "of it engine", "data", "data : file", "equal images",
    )  # fmt: skip
    rows = []
    for name, network in results["networks"].items():
        for form, title in _FORMS.items():
            found = network["boards"].get(board, {}).get(form)
            if found is not None:
                rows.append([f"`{name}`", title, *_row(network, found)])
    return markdown_table(header, rows)


def _row(network: Figures, found: Figures) -> list[str]:
    return [
        count(found["memory_bytes"]),
        count(found["stack_bytes"]),
        count(found["instructions"]),
        f"{found['instructions'] / network['macs']:.2f}",
        count(found["code_bytes"]),
        count(found.get("kernel_bytes")),
        count(found["data_bytes"]),
        f"{found['data_bytes'] / network['file_bytes']:.2f}",
        _NONE if found["images"] is None else f"{found['equal_images']} of {found['images']}",
    ]


def kinds(results: Figures, board: str) -> str:
    """Return instructions a multiply-accumulate, or in all, by kind of operator of all networks."""
    sums: dict[str, dict[str, list[float]]] = {}
    for network in results["networks"].values():
        forms = network["boards"].get(board, {})
        if OWN not in forms or TFLM not in forms:
            continue
        for form in (OWN, TFLM):
            for kind, found in forms[form]["kinds"].items():
                both = sums.setdefault(kind, {OWN: [0, 0], TFLM: [0, 0]})[form]
                both[0] += found["instructions"]
                both[1] += found["macs"]
    header = ("operator", "engine", "a MAC", "TFLM, CMSIS-NN", "a MAC")
    rows = []
    for kind, forms in sorted(sums.items(), key=lambda item: -item[1][TFLM][0]):
        row = [kind]
        for instructions, macs in (forms[OWN], forms[TFLM]):
            row += [_millions(instructions), f"{instructions / macs:.2f}" if macs else _NONE]
        rows.append(row)
    return markdown_table(header, rows)


def page(results: Figures) -> str:
    """Return ``docs/experiments/engine.md``."""
    parts = [
        "# Our engine and TensorFlow Lite Micro",
        'Measured by `make bench ARGS="--only engine"` on emulated boards, TFLM with the kernels '
        "of CMSIS-NN, all compiled by the same compiler. RAM is what was planned, and measured to "
        "be in use; the stack comes on top of it. Code is the whole firmware's, that of its serial "
        "protocol (about 8 kB) included, and of it that of our engine with its kernels; data are "
        "the program with its weights, or the `.tflite` file. Instructions are no cycles, see "
        "[Cycles](#cycles). *Less memory* computes rows again, up to 1.2 times the work, rather "
        "than keep them. Figures without a stack are of an image that has all kernels. Output "
        "bytes are compared with those of the "
        "`tflite-micro` package on random inputs.",
        "![RAM and instructions of each network](engine.png)",
        overview(results),
    ]
    for board, core in CORES.items():
        if any(board in network["boards"] for network in results["networks"].values()):
            parts += [f"## {core}", details(results, board)]
            if any(TFLM in n["boards"].get(board, {}) for n in results["networks"].values()):
                parts += [
                    "By kind of operator, all networks together that ran on both:",
                    kinds(results, board),
                ]
    return "\n\n".join([*parts, _CYCLES]) + "\n"


_CYCLES = """## Cycles

QEMU counts instructions. A real core takes other times: a load from flash waits, two instructions
of a Cortex-M7 may run at once, a vector instruction of a Cortex-M55 takes two cycles. No cycles are
stated here until a board has measured them."""


def draw(results: Figures, path: Path) -> None:
    """Draw RAM and instructions of each network as bars, one panel a core and quantity."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), layout="constrained")
    panels = figure.subplots(2, 2)
    for line, (title, value) in zip(
        panels,
        (("RAM (kB)", lambda f: memory(f) / 1e3),
         ("instructions (millions)", lambda f: f["instructions"] / 1e6)),
        strict=True,
    ):  # fmt: skip
        for panel, board in zip(line, _SHOWN, strict=True):
            _bars(panel, results, board, value)
            panel.set_title(f"{CORES[board]}: {title}")
    panels[0][0].legend(loc="upper right")
    with files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png", metadata={"Software": None})


def _bars(panel: Any, results: Figures, board: str, value: Any) -> None:
    names = list(results["networks"])
    for place, form in enumerate((OWN, TFLM)):
        heights: Sequence[float] = [
            value(network["boards"][board][form])
            if form in network["boards"].get(board, {})
            else float("nan")
            for network in results["networks"].values()
        ]
        at = [number + 0.4 * place - 0.2 for number in range(len(names))]
        panel.barh(at, heights, 0.4, label=_FORMS[form], color=f"C{place}")
    panel.set_yticks(range(len(names)), names, fontsize=8)
    panel.invert_yaxis()
    if any(board in network["boards"] for network in results["networks"].values()):
        panel.set_xscale("log")
    panel.grid(alpha=0.3, axis="x")
