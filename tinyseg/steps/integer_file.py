"""The integer file of a network: of the zoo, of a Keras file, or any other ``.tflite`` file."""

from __future__ import annotations

import logging
from pathlib import Path

from tinyseg import presets
from tinyseg.errors import InputError
from tinyseg.keras_files.description import OptionError, looks_like_model
from tinyseg.steps.names import find_tflite
from tinyseg.steps.own_file import made_of
from tinyseg.tflite import TfliteModel

log = logging.getLogger(__name__)

RECIPE = "static_wi8_ai8"


def read_model(name_or_file: str, source: str | None = None, recipe: str = RECIPE) -> TfliteModel:
    """Parse a network's integer file, see :func:`find_integers`.

    Raises:
        InputError: no such file or network, or a damaged file.
    """
    return TfliteModel.read(find_integers(name_or_file, source, recipe))


def find_integers(
    name_or_file: str, source: str | None = None, recipe: str = RECIPE, unsafe: bool = False
) -> Path:
    """Return the integer file of a network of the zoo, or of a Keras model file.

    A Keras file has one if it was quantized here and did not change since; else it is made, if the
    images for that are named.

    Args:
        name_or_file: what the user named, see :func:`tinyseg.steps.names.find_tflite`.
        source: data source; None for any.
        recipe: of the file.
        unsafe: run code that a Keras file holds, to make it.

    Raises:
        InputError: there is none.
    """
    if not looks_like_model(name_or_file):
        return find_tflite(name_or_file, source, recipe)
    path = Path(name_or_file)
    if not path.exists():
        raise InputError(f"{path}: no such file")
    data = presets.slug(source) if source else "*"
    for file, _ in made_of(path, data, recipe):
        return file
    if source is None:
        raise InputError(
            f"{path}: a Keras model, whose integer file is not there yet; run 'tinyseg quantize "
            f"{path} --data IMAGES'"
        )
    return _convert(path, source, recipe, unsafe)


def _convert(path: Path, source: str, recipe: str, unsafe: bool) -> Path:
    from tinyseg.steps.convert import convert
    from tinyseg.steps.session import Session

    changes = {"quantization.recipe": recipe}
    try:
        session = Session.open(path, source, changes=changes, unsafe=unsafe)
    except OptionError as error:
        raise InputError(
            f"{error}; 'tinyseg quantize {path} --data {source}' takes that, and its file is "
            "found here then"
        ) from None
    made, _ = convert(session, session.run_folder())
    log.info("%s: made of %s; 'tinyseg quantize' says how good it is", made.path, path)
    return made.file
