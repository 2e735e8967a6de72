"""One rule for all masks of a data set: which values are foreground, and in which region.

What is not 0 is foreground. Several label values are regions, one each; instances are foreground
all. Where the values do not say what they mean, the user is asked for ``--labels``.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NoReturn

import numpy as np

from tinyseg.data.masks import COLOUR, GREATEST_LABEL, WHITES, Levels
from tinyseg.data.rule import MaskRule, Region, Spans, coded
from tinyseg.errors import InputError

ALL = "all"
CURE = (
    "say with --labels which values are foreground, such as --labels 1, or --labels all for every "
    "value but 0"
)
_MOST_REGIONS = 32
_VOID = 255
_VOID_COLOUR = COLOUR | 0xE0E0C0
_SURE_WHITE = 128
_SHOWN = 4
_NUMBERED = 0.8
_FEWEST_MASKS = 5

# What the user says


def parse(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Read what ``--labels`` says.

    Args:
        text: regions parted by commas, each of them values joined by ``+``, with or without
            ``NAME=`` before; a value is a number, a range such as ``1-20``, a colour such as
            ``#ff0000``, or the name of a category; or ``all``. ``;`` and ``:`` stand for
            comma and equals sign.

    Returns:
        Name and values of each region; none for ``all``.

    Raises:
        InputError: it says nothing.
    """
    if text.strip().lower() == ALL:
        return ()
    regions = []
    for part in re.split(r"[,;]", text):
        name, separator, listed = part.replace(":", "=").rpartition("=")
        values = tuple(value.strip() for value in listed.split("+"))
        if not all(values) or (separator and not name.strip()):
            raise InputError(
                f"--labels {text}: expected values such as 1, 1+2, 1,2 or lesion=1,cyst=2+3"
            )
        regions.append((name.strip() or listed.strip(), values))
    if len({name for name, _ in regions}) < len(regions):
        raise InputError(f"--labels {text}: two regions have one name; name them otherwise")
    return tuple(regions)


def chosen(text: str, found: Sequence[Levels]) -> MaskRule:
    """Return the rule that ``--labels`` asks for.

    Args:
        text: see :func:`parse`.
        found: what the masks hold.

    Raises:
        InputError: a value is none, or no mask holds it.
    """
    wanted = tuple(
        Region(name, tuple(_span(text, value) for value in values)) for name, values in parse(text)
    )
    colours = any(held.kind == "colour" for held in found)
    colours = colours or any(low > COLOUR for region in wanted for low, _ in region.spans)
    if colours:
        wanted = tuple(dataclasses.replace(r, spans=_coded_spans(r.spans)) for r in wanted)
    held_values = {value for held in found for value in _values(held, colours)}
    shaded = any(held.form == "shades" for held in found)
    for region in wanted:
        values = np.array([*held_values, *([0] if any(h.zero for h in found) else [])], float)
        if not shaded and found and not region.marks(values).any():
            raise InputError(
                f"--labels {text}: no mask holds {region.name}; they hold {_listed(held_values)}"
            )
    return MaskRule(wanted, {}, colours and bool(wanted))


def _span(text: str, value: str) -> tuple[float, float]:
    if match := re.fullmatch(r"#([0-9a-fA-F]{6})", value):
        code = int(match[1], 16)
        return (COLOUR | code, COLOUR | code) if code else (0, 0)
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?", value):
        low, high = float(match[1]), float(match[2] or match[1])
        if low <= high:
            return low, high
    raise InputError(
        f"--labels {text}: '{value}' is no value; give numbers, ranges such as 1-20, or colours "
        "such as #ff0000"
    )


def _coded_spans(spans: Spans) -> Spans:
    """Return spans of colours for those of grey values."""
    spelled: list[tuple[float, float]] = []
    for low, high in spans:
        if low > COLOUR or high == 0:
            spelled.append((low, high))
        else:
            spelled += [(value, value) for value in coded(np.arange(int(low), int(high) + 1))]
    return tuple((float(low), float(high)) for low, high in spelled)


# What the values say


def suggested_rule(found: Sequence[Levels]) -> MaskRule:
    """Return the rule that the masks of a data set suggest.

    Args:
        found: what each of them holds.

    Raises:
        InputError: it is not plain what they mean.
    """
    labelled = [held for held in found if held.form == "labels"]
    shaded = [held for held in found if held.form == "shades"]
    plain = [held for held in found if held.form == "plain" and held.values]
    _need_background(found, _whites(shaded, plain))
    if labelled and shaded:
        _ask(shaded[0], f"holds shades of grey but {labelled[0].path} labels")
    if labelled:
        return _label_rule(labelled, plain)
    return _shade_rule(shaded, plain) if shaded else _plain_rule(plain)


def _ask(held: Levels, reason: str) -> NoReturn:
    raise InputError(f"{held.path}: {reason}; {CURE}")


def _whites(shaded: Sequence[Levels], plain: Sequence[Levels]) -> dict[str, float]:
    """Return the brightest value of each depth, if there are shades."""
    whites: dict[str, float] = {}
    for held in (*shaded, *plain) if shaded else ():
        whites[held.depth] = max(whites.get(held.depth, 0), held.values[-1])
    return whites


def _need_background(found: Sequence[Levels], whites: Mapping[str, float]) -> None:
    """Ask where masks have no background."""

    def lacks(held: Levels) -> bool:
        if held.form == "shades":
            return held.values[0] > whites[held.depth] / 4
        return bool(held.values) and not held.zero

    without = [held for held in found if lacks(held)]
    several = [held for held in without if held.form != "plain"]
    # A few that the objects fill are no doubt; a sample of one says nothing.
    if without and len(without) == len(found):
        _ask(without[0], f"holds {_listed(without[0].values)} and no 0, nor does any other mask")
    if 10 * len(several) > sum(held.form != "plain" for held in found):
        _ask(several[0], f"holds {_listed(several[0].values)} and no 0")


def _plain_rule(plain: Sequence[Levels]) -> MaskRule:
    """Return the rule for masks of one value each."""
    values = {held.values[0] for held in plain}
    if len(values) <= 1 or all(_is_white(held) for held in plain):
        return MaskRule()
    if max(values) <= GREATEST_LABEL or all(held.kind != "grey" for held in plain):
        return _label_rule([], plain)
    one, other = plain[0], next(held for held in plain if held.values != plain[0].values)
    _ask(other, f"holds {_listed(other.values)} but {one.path} {_listed(one.values)}")


def _is_white(held: Levels) -> bool:
    """Return whether a mask's only value can be what it draws white with: 1, or a bright grey."""
    value = held.values[0]
    return value == 1 or (held.kind == "grey" and value >= WHITES[held.depth] / 2)


def _shade_rule(shaded: Sequence[Levels], plain: Sequence[Levels]) -> MaskRule:
    """Return the rule for masks with smoothed edges or noise: half of the data set's white."""
    whites = _whites(shaded, plain)
    for held in shaded:
        if held.depth == "8" and whites["8"] < _SURE_WHITE:
            _ask(held, f"holds shades up to {held.values[-1]:g}, of which none is white")
        if held.plateau and held.values[-1] > whites[held.depth] / 2:
            _ask(held, f"holds {held.count} shades, even areas of grey among them")
    return MaskRule((), whites)


def _label_rule(labelled: Sequence[Levels], plain: Sequence[Levels]) -> MaskRule:
    """Return the rule for masks of labels: a region for each, or all foreground."""
    every = (*labelled, *plain)
    colours = any(held.kind == "colour" for held in every)
    if colours and (index := next((held for held in every if held.kind == "index"), None)):
        _ask(index, "has a palette where other masks have colours")
    inside = {value for held in labelled for value in _values(held, colours)}
    values = inside | {value for held in plain for value in _values(held, colours)}
    _refuse_mixture(labelled, plain, inside, colours)
    numbered = _are_instances(labelled) or _rarely_repeat(every, colours)
    if len(values) > _MOST_REGIONS or numbered:
        note = f"masks hold {len(values)} values, taken for instances: all are foreground"
        return MaskRule((), {}, False, (f"{note}; --labels says otherwise",))
    values, notes = _without_void(labelled, values, colours)
    if not colours and (held := _trimap(labelled, values)):
        _ask(held, f"holds 0, {_listed(values)}, which a trimap does, or shades, or labels")
    regions = tuple(Region(_text(value), ((value, value),)) for value in sorted(values))
    if len(regions) > 1:
        names = ", ".join(region.name for region in regions)
        notes += (f"masks hold the labels {names}, each a region; --labels says otherwise",)
    return MaskRule(regions, {}, colours, notes)


def _refuse_mixture(
    labelled: Sequence[Levels], plain: Sequence[Levels], inside: set[float], colours: bool
) -> None:
    """Ask where some masks hold labels and others white."""
    if not inside or (not colours and max(inside - {_VOID}, default=0) > GREATEST_LABEL):
        return
    for held in plain:
        bright = held.kind == "grey" and held.values[0] > GREATEST_LABEL
        if bright and not inside & set(_values(held, colours)):
            other = labelled[0]
            _ask(other, f"holds {_listed(other.values)} but {held.path} {_listed(held.values)}")


def _are_instances(labelled: Sequence[Levels]) -> bool:
    """Return whether labels count: 1 to another number in each mask, each label one object.

    An object that another one parts, or whose number is missing, is found in few masks.
    """
    counts = {len(held.values) for held in labelled}
    numbered = sum(held.instances for held in labelled)
    return numbered > _NUMBERED * len(labelled) and len(counts) > 2 and max(counts) > 3


def _rarely_repeat(every: Sequence[Levels], colours: bool) -> bool:
    """Return whether hardly a value is in two masks: kinds of things would be, single ones not.

    A palette says that its indices are kinds.
    """
    if any(held.kind == "index" for held in every):
        return False
    counts = Counter(value for held in every for value in set(_values(held, colours)))
    single = sum(count == 1 for count in counts.values())
    return _FEWEST_MASKS <= len(every) <= len(counts) and single > _NUMBERED * len(counts)


def _without_void(
    labelled: Sequence[Levels], values: set[float], colours: bool
) -> tuple[set[float], tuple[str, ...]]:
    """Leave out the border between objects that nobody decided on, as PASCAL VOC marks it."""
    void = _VOID_COLOUR if colours else _VOID
    others = values - {void}
    inside = next((h for h in labelled if void in _values(h, colours)), None)
    if inside is None or not others:
        return values, ()
    if not colours and inside.kind == "grey":
        if others == {1}:
            _ask(inside, "holds 0, 1, 255")
        if others != set(range(1, len(others) + 1)):
            return values, ()
    note = f"value {_text(void)} beside labels is read as background; --labels says otherwise"
    return others, (note,)


def _trimap(labelled: Sequence[Levels], values: set[float]) -> Levels | None:
    """Return a mask of 0, half and white."""
    if len(values) != 2 or not labelled or any(held.kind != "grey" for held in labelled):
        return None
    low, high = sorted(values)
    halved = high in (255, 65535) and abs(low - high / 2) < high / 10
    return labelled[0] if halved else None


def _values(held: Levels, colours: bool) -> tuple[float, ...]:
    """Return a mask's values, as colours if other masks hold such."""
    if not colours or held.kind == "colour":
        return held.values
    return tuple(coded(np.array(held.values, np.int64)).tolist())


def _text(value: float) -> str:
    return f"#{int(value) & 0xFFFFFF:06x}" if value > COLOUR else f"{value:g}"


def _listed(values: Sequence[float] | set[float]) -> str:
    shown = [_text(value) for value in sorted(values)]
    return ", ".join(shown[:_SHOWN]) + ", ..." * (len(shown) > _SHOWN)
