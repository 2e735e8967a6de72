"""TensorFlow Lite's metadata, as its own writer packs them, and damaged."""

import base64
import contextlib
import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures import Draft, one_operator
from tinyseg.errors import InputError
from tinyseg.tflite import TfliteModel
from tinyseg.tflite.metadata import NAME, Normalization, normalization

# Written by metadata_schema_py_generated of tflite-support 0.4.4: an RGB image with statistics,
# (pixel - 127.5) / 127.5.
ONE = base64.b64decode(
    b"FAAAAE0wMDEMABAADAAIAAAABAAMAAAADAAAAPgAAAD8AAAAAQAAABAAAAAMABAADAAAAAgABAAMAAAADAAAABgA"
    b"AADIAAAAAQAAAAgAAAAEAAQABAAAAAEAAAAUAAAAEAAUABAAAAAAAAwACAAEABAAAAAQAAAAKAAAAGwAAACAAAAA"
    b"yP///wgAAAAMAAAAAQAAAAAAAAABAAAAAACAPwEAAAAMAAAACAAMAAsABAAIAAAAEAAAAAAAAAEIAAwACAAEAAgA"
    b"AAAIAAAADAAAAAEAAAAAAP9CAQAAAAAA/0IIAAoACQAEAAgAAAAMAAAAAAIGAAgABwAGAAAAAAAAAQUAAABpbWFn"
    b"ZQAAAAEAAABnAAAAAQAAAGQAAAAJAAAAc2VnbWVudGVyAAAA"
)
# The same with mean (123.675, 116.28, 103.53), std (58.395, 57.12, 57.375).
CHANNELS = base64.b64decode(
    b"FAAAAE0wMDEMABAADAAIAAAABAAMAAAADAAAAAgBAAAMAQAAAQAAABAAAAAMABAADAAAAAgABAAMAAAADAAAABgA"
    b"AADYAAAAAQAAAAgAAAAEAAQABAAAAAEAAAAUAAAAEAAUABAAAAAAAAwACAAEABAAAAAQAAAAKAAAAHwAAACQAAAA"
    b"yP///wgAAAAMAAAAAQAAAAAAAAABAAAAAACAPwEAAAAMAAAACAAMAAsABAAIAAAAEAAAAAAAAAEIAAwACAAEAAgA"
    b"AAAIAAAAFAAAAAMAAAB7lGlC4XpkQgCAZUIDAAAAmln3QlyP6EJcD89CCAAKAAkABAAIAAAADAAAAAACBgAIAAcA"
    b"BgAAAAAAAAEFAAAAaW1hZ2UAAAABAAAAZwAAAAEAAABkAAAACQAAAHNlZ21lbnRlcgAAAA=="
)
PLAIN = TfliteModel.parse(one_operator("RELU", [Draft((1, 4, 4, 3))], Draft((1, 4, 4, 3))), "m")


def file(stored):
    return dataclasses.replace(PLAIN, metadata={NAME: bytes(stored)})


def test_one_value_for_all_channels():
    assert normalization(file(ONE)) == Normalization((127.5,), (127.5,))


def test_a_value_for_each_channel():
    found = normalization(file(CHANNELS))
    np.testing.assert_allclose(found.mean, [123.675, 116.28, 103.53], rtol=1e-6)
    np.testing.assert_allclose(found.std, [58.395, 57.12, 57.375], rtol=1e-6)


def test_files_without_metadata():
    assert normalization(PLAIN) is None


def test_a_standard_deviation_of_zero_is_refused():
    # The one value of std lies before that of mean, as the writer's own reader tells.
    value = np.float32(127.5).tobytes()
    changed = ONE.replace(value, bytes(4), 1)
    assert ONE.count(value) == 2
    with pytest.raises(InputError, match=r"mean \(127.5,\) and std \(0.0,\)"):
        normalization(file(changed))


@given(st.lists(st.tuples(st.integers(0, len(CHANNELS) - 1), st.integers(0, 255)), max_size=4))
def test_damage_is_one_line(changes):
    stored = bytearray(CHANNELS)
    for place, value in changes:
        stored[place] = value
    with contextlib.suppress(InputError):
        found = normalization(file(stored))
        assert found is None or min(found.std) > 0


@pytest.mark.parametrize("length", [1, 3, 7, 40, len(ONE) // 2])
def test_metadata_that_end_early(length):
    with pytest.raises(InputError, match="damaged"):
        normalization(file(ONE[:length]))
