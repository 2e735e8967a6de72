"""The memory of every published network on our own engine, and what more work saves.

python -m tinyseg.experiments.engine_memory
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinyseg import files
from tinyseg.experiments.rounds import markdown_table
from tinyseg.reporting import rows_chart
from tinyseg.reporting.numbers import count
from tinyseg.steps.engine_memory import engine_memory
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.arena.memory import predict_arena

_FOLDER = Path("docs/experiments")
_MODELS = Path("models")
_TARGET = "cortex_m"
_DRAWN, _DRAWN_WORK = "attention_unet_ds_256k/phantom", 1.1
# Columns: most work.
_WORK = (1.0, 1.1, 1.2, 1.3)
_PAGE = """# Memory on our own engine

RAM in bytes of each published network, image rows, scratch and counters included, the stack (2 to
5 KB) not; in brackets the work, which is instructions on a Cortex-M7, times the least. TFLM's
figure is the tensor arena that it needs on a Cortex-M with CMSIS-NN, predicted. The last column is
how many bytes a program takes of flash at 1.00 times. Made by `make experiment NAME=engine_memory`.

{table}

![Rows in memory](engine_memory.png)

`{drawn}` at {work:.3f} times the work: each bar is a row of a tensor from the step that computes it
to the last one that reads it; one colour a layer.
"""


def measure(path: Path) -> dict[str, Any]:
    """Plan a file with all amounts of work.

    Returns:
        ``file``, ``tflm_bytes``, ``program_bytes``, ``front`` with ``work`` and ``ram_bytes``.
    """
    model = TfliteModel.read(path)
    facts = engine_memory(model, target=_TARGET, with_front=True).facts
    return {
        "file": "/".join(path.parts[-3:-1]),
        "sha256": model.sha256(),
        "tflm_bytes": predict_arena(model, _TARGET).needed,
        "program_bytes": facts["program_bytes"],
        "front": [{key: row[key] for key in ("work", "ram_bytes")} for row in facts["front"]],
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the page's table."""
    limits = [f"at {_WORK[0]:.2f} times", *(f"up to {limit:.2f}" for limit in _WORK[1:])]
    lines = []
    for row in rows:
        cells = []
        for limit in _WORK:
            best = min(
                (v for v in row["front"] if v["work"] <= limit), key=lambda v: v["ram_bytes"]
            )
            cells.append(f"{count(best['ram_bytes'])} ({best['work']:.3f})")
        ends = count(row["tflm_bytes"]), count(row["program_bytes"])
        lines.append([f"`{row['file']}`", ends[0], *cells, ends[1]])
    return markdown_table(("network", "TFLM", *limits, "flash"), lines)


def main() -> None:
    """Plan all published networks, and write page, figures and picture."""
    rows = [measure(path) for path in sorted(_MODELS.glob("*/*/*.tflite"))]
    drawn = next(_MODELS.glob(f"{_DRAWN}/*.tflite"))
    facts = engine_memory(TfliteModel.read(drawn), target=_TARGET, max_work=_DRAWN_WORK).facts
    files.write_json(_FOLDER / "engine_memory.json", rows)
    files.write_bytes(_FOLDER / "engine_memory.png", rows_chart.picture(facts))
    page = _PAGE.format(table=table(rows), drawn=_DRAWN, work=facts["work"])
    files.write_text(_FOLDER / "engine_memory.md", page)


if __name__ == "__main__":
    main()
