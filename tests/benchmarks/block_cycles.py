"""Cycles of blocks of instructions: by a table of published timings, or by llvm-mca.

A Cortex-M4 issues one instruction after another, as the table of its reference manual says; it
stands for the Cortex-M33 too, for which there is none. Of a Cortex-M7 and M55, llvm-mca of LLVM 19
(Debian's llvm-19) simulates how a block runs again and again. Memory without waits is assumed.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# Cycles to fill the pipeline again behind a branch that is taken: 1 to 3, Arm DDI 0439, 3.3.1.
_REFILL = 2
_DIVISION, _ROOT = 7, 14
_ITERATIONS = 20
_TOGETHER = 32
_TRIPLES = {"cortex-m7": "thumbv7em-none-eabi", "cortex-m55": "thumbv8.1m.main-none-eabi"}
_PREDICATES = "eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le"
_BRANCH = re.compile(rf"^(b|bl|blx)({_PREDICATES})?(\.[nw])?$")
_PREDICATED = re.compile(rf"^(\w+?)({_PREDICATES})(\.[nw])?$")
_REGION = re.compile(
    r"Region - b(\d+)\s+Iterations:\s+(\d+)\s+Instructions:\s+\d+\s+.*Cycles:\s+(\d+)"
)

# Loads and stores that move their base: llvm-mca crashes at all but those of a word, behind it.
_MOVING = re.compile(r"^(ld|st)r\w*(?:\.w)? (\w+), \[(\w+)(?:, #(-?\d+)\]!|\], #(-?\d+))$")
# It crashes at some other blocks; telling where takes long.
_ENVIRONMENT = {**os.environ, "LLVM_DISABLE_SYMBOLIZATION": "1", "LLVM_DISABLE_CRASH_REPORT": "1"}

# Address of the first, and how many.
Block = tuple[int, int]


class Code(NamedTuple):
    """Instructions of a program: where they lie, in their order, and as text."""

    places: list[int]
    texts: list[str]

    @classmethod
    def of(cls, elf: Path) -> Code:
        """Return the instructions of an ELF file."""
        command = ["arm-none-eabi-objdump", "-d", "--no-show-raw-insn", str(elf)]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        places, texts = [], []
        for line in listed.splitlines():
            match = re.match(r"^\s*([0-9a-f]+):\s+(.*)$", line)
            if match:
                places.append(int(match[1], 16))
                text = re.split("[;@]", match[2])[0].strip().replace("\t", " ")
                texts.append(text or "nop")
        return cls(places, texts)

    def blocks(self, wanted: Iterable[Block]) -> dict[Block, list[str]]:
        """Return the instructions of blocks; those that are no part of it are left out."""
        index = {place: number for number, place in enumerate(self.places)}
        return {
            block: self.texts[index[block[0]] : index[block[0]] + block[1]]
            for block in wanted
            if block[0] in index
        }


def inferences(path: Path) -> Iterator[dict[Block, int]]:
    """Yield how often each block ran, see ``block_counts.c``."""
    found: dict[Block, int] | None = None
    for line in path.read_text().splitlines():
        if line == "inference":
            if found is not None:
                yield found
            found = {}
        elif found is not None:
            place, size, count = line.split()
            found[int(place, 16), int(size)] = int(count)
    if found is not None:
        yield found


def cycles(blocks: Mapping[Block, Sequence[str]], processor: str) -> dict[Block, float]:
    """Return the cycles of blocks on a processor such as ``cortex-m7``."""
    if processor in _TRIPLES:
        return _simulated(blocks, processor)
    found = {}
    for block, texts in blocks.items():
        before = ["", *texts[:-1]]
        found[block] = float(sum(map(_tabled, texts, before)))
    return found


def _tabled(text: str, before: str) -> int:
    """Return the cycles of an instruction of a Cortex-M4, Arm DDI 0439, table 3-1."""
    name = text.split()[0].split(".")[0]
    if name.startswith("v"):
        if name.startswith(("vldm", "vstm", "vpush", "vpop")):
            return 1 + _registers(text)
        return _ROOT if name in ("vdiv", "vsqrt") else 1 + name.startswith(("vldr", "vstr"))
    if name.startswith(("ldm", "stm", "push", "pop")):
        return 1 + _registers(text) + _REFILL * ("pc" in text)
    if name in ("ldrd", "strd"):
        return 3
    if name.startswith("ldr"):
        # Neighbouring loads and stores overlap.
        follows = before.startswith(("ldr", "str")) and before[3] != "d"
        return (1 if follows else 2) + _REFILL * bool(re.match(r"ldr\S* pc", text))
    if name in ("udiv", "sdiv"):
        return _DIVISION
    jumps = _BRANCH.match(name) or name in ("bx", "blx", "cbz", "cbnz", "tbb", "tbh")
    return 1 + _REFILL * bool(jumps)


def _registers(text: str) -> int:
    count = 0
    for part in text[text.index("{") + 1 : text.index("}")].split(","):
        ends = [int(re.sub(r"\D", "", end) or 0) for end in part.split("-")]
        count += ends[-1] - ends[0] + 1
    return count


def _simulated(blocks: Mapping[Block, Sequence[str]], processor: str) -> dict[Block, float]:
    """Return what llvm-mca tells; of what it cannot read, a cycle for an instruction."""
    forms = {text: _standalone(text) for texts in blocks.values() for text in texts}
    refused = _refused(sorted(set(forms.values())), processor)
    plain = {form: _unpredicated(form) for form in refused}
    lost = _refused(sorted(set(plain.values())), processor)
    regions, extra = [], []
    for number, texts in enumerate(blocks.values()):
        lines = [plain.get(forms[text], forms[text]) for text in texts]
        kept = [line for line in lines if line not in lost]
        extra.append(len(lines) - len(kept) + sum(map(_transfers, texts)))
        body = "\n".join(kept or ["nop"])
        regions.append(f"# LLVM-MCA-BEGIN b{number}\n{body}\n# LLVM-MCA-END b{number}\n")
    found: dict[int, float] = {}
    for at in range(0, len(regions), _TOGETHER):
        found |= _analysed(regions[at : at + _TOGETHER], processor)
    return {
        block: found.get(number, float(block[1])) + extra[number] * (number in found)
        for number, block in enumerate(blocks)
    }


def _transfers(text: str) -> int:
    """Return the cycles of moving several registers, two at a time, that llvm-mca leaves out."""
    moves = text.startswith(("ldm", "stm", "push", "pop", "vldm", "vstm", "vpush", "vpop"))
    return max((_registers(text) - 1) // 2, 0) if moves else 0


def _analysed(regions: list[str], processor: str) -> dict[int, float]:
    command = ["llvm-mca-19", f"-mtriple={_TRIPLES[processor]}", f"-mcpu={processor}"]
    command += [f"-iterations={_ITERATIONS}", "-instruction-info=0", "-resource-pressure=0", "-"]
    text = ".syntax unified\n.thumb\n" + "".join(regions)
    ran = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, env=_ENVIRONMENT
    )
    if ran.returncode == 0:
        return {int(m[1]): int(m[3]) / int(m[2]) for m in _REGION.finditer(ran.stdout)}
    if len(regions) == 1:
        return {}
    half = len(regions) // 2
    return _analysed(regions[:half], processor) | _analysed(regions[half:], processor)


def _refused(lines: Sequence[str], processor: str) -> set[str]:
    """Return the lines that the assembler cannot read alone."""
    command = ["llvm-mc-19", f"-triple={_TRIPLES[processor]}", f"-mcpu={processor}"]
    text = ".syntax unified\n.thumb\n" + "\n".join(lines) + "\n"
    ran = subprocess.run(
        [*command, "-filetype=null"], input=text, capture_output=True, text=True, check=False
    )
    numbers = {int(number) - 3 for number in re.findall(r":(\d+):\d+: error", ran.stderr)}
    return {lines[number] for number in numbers if 0 <= number < len(lines)}


def _standalone(text: str) -> str:
    """Return an instruction that can be read without what is around it."""
    name = text.split()[0]
    stem = name.split(".")[0]
    if re.match(r"^(it[te]*|vpst[te]*|vpt[te]*)$", stem) or name.startswith(("bl", "blx")):
        return "nop"
    if stem in ("cbz", "cbnz"):
        return f"{stem} {text.split()[1].rstrip(',')}, #8"
    if stem in ("le", "letp"):
        return f"{stem} lr, #-8"
    if stem.startswith("wls"):
        return ", ".join(part.strip() for part in text.split(",")[:2]) + ", #8"
    if _BRANCH.match(name):
        return f"{stem} #8"
    moving = _MOVING.match(text)
    if moving:
        return f"{moving[1]}r {moving[2]}, [{moving[3]}], #{moving[4] or moving[5]}"
    if re.match(r"^v(ldr|str|max|min)\w*t$", stem):
        return text.replace(stem, stem[:-1], 1)
    return text


def _unpredicated(text: str) -> str:
    name = text.split()[0]
    match = _PREDICATED.match(name)
    return (match[1] if match else name.split(".")[0]) + text[len(name) :]
