"""One use of an operator, parsed from a file that holds nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests import fixtures
from tests.fixtures import Draft
from tests.tflite.drafts import options
from tinyseg.tflite import Operator, TfliteModel


def use(
    opcode: str,
    inputs: Sequence[Draft],
    output: Draft,
    kind: str | None = None,
    **values: Any,
) -> Operator:
    """Return an operator.

    Args:
        opcode: builtin name.
        inputs, output: its tensors.
        kind: such as ``Conv2D``, for options of the schema; None for none.
        values: of the options.
    """
    settings = options(kind, **values) if kind else None
    content = fixtures.one_operator(opcode, inputs, output, settings)
    return TfliteModel.parse(content).operators[0]


def activation(*shape: int, dtype: str = "int8", scale: float = 0.5, zero: int = 0) -> Draft:
    """Return a computed tensor."""
    return Draft(shape, dtype, None, scale, zero)


def weights(*shape: int, dtype: str = "int8") -> Draft:
    """Return a constant tensor of ones."""
    return Draft(shape, dtype, np.ones(shape, dtype), 0.02)


def integers(*values: int) -> Draft:
    """Return constant int32 values."""
    return Draft((len(values),), "int32", np.array(values, np.int32))
