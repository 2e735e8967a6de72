"""Profile one .tflite file with silabs-mltk, in the environment of requirements-mltk.txt.

    python mltk_worker.py MODEL.tflite REPORT.txt RECORD.json [ACCELERATOR]

MLTK pins old versions of TensorFlow and protobuf, and its C++ part can crash on a damaged
file, so it gets an environment and a process of its own. MLTK's text report goes to
REPORT.txt and the same figures, as exact integers, to RECORD.json. On failure the exit status
is not zero and RECORD.json, if it was written, holds ``{"error": cause}``.
"""

import json
import logging
import os
import sys
import tempfile
import types
from pathlib import Path
from typing import Any


def _profile(model_path: str, accelerator: str | None) -> Any:
    """Return the ProfilingModelResults of MLTK's simulator for one model."""
    import mltk

    # mltk/core/__init__.py imports TensorFlow, which profiling does not need; a bare package
    # object gives access to the submodules without it.
    core = types.ModuleType("mltk.core")
    core.__path__ = [str(Path(place, "core")) for place in mltk.__path__]
    sys.modules["mltk.core"] = core
    from mltk.core.tflite_micro import TfliteMicro
    from mltk.core.tflite_model import TfliteModel
    from mltk.core.utils import set_mltk_logger

    # Without a logger of our own, MLTK makes one that writes to stdout.
    logger = logging.getLogger("mltk_worker")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    set_mltk_logger(logger)

    model = TfliteModel.load_flatbuffer_file(model_path)
    results = TfliteMicro.profile_model(model, accelerator=accelerator)
    # Only mltk.core.profile_model() sets the name, and that one needs TensorFlow.
    results._model_name = model.name
    return results


def _layer_record(layer: Any) -> dict[str, Any]:
    """Return one layer as plain values; MLTK's 0 for "not estimated" becomes None."""
    return {
        "index": layer.index,
        "opcode": layer.opcode_str,
        "ops": int(layer.ops),
        "macs": int(layer.macs),
        "cycles": layer.cpu_cycles or None,
        "accelerator_cycles": layer.accelerator_cycles or None,
        "energy_j": layer.energy or None,
        "time_s": layer.time or None,
        "inputs": layer.input_shape_str,
        "outputs": layer.output_shape_str,
        "options": layer.options_str,
        "supported": not layer.is_unsupported,
        "error_msg": layer.error_msg,
    }


def _record(results: Any) -> dict[str, Any]:
    """Return the whole profile as plain values."""
    from mltk import __version__

    return {
        "name": results.name,
        "accelerator": results.accelerator,
        "input_shape": results.input_shape_str,
        "input_type": results.input_dtype_str,
        "output_shape": results.output_shape_str,
        "output_type": results.output_dtype_str,
        "flash_bytes": int(results.flatbuffer_size),
        "ram_bytes": int(results.runtime_memory_bytes),
        "ops": int(results.ops),
        "macs": int(results.macs),
        "layers": [_layer_record(layer) for layer in results.layers],
        "mltk_version": __version__,
    }


def main(model: str, report: str, record: str, accelerator: str | None = None) -> int:
    """Profile, write the report and the record, and return the exit status."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault("MLTK_CACHE_DIR", scratch)
        # A user's ~/.mltk settings could add accelerators; this path does not exist.
        os.environ["MLTK_USER_SETTINGS_PATH"] = str(Path(scratch, "user_settings.yaml"))
        try:
            results = _profile(model, accelerator)
            Path(report).write_text(results.to_string() + "\n", encoding="utf-8")
            answer = _record(results)
        except Exception as error:
            # MLTK's causes span many lines and repeat for each arena size it tried.
            lines = filter(None, map(str.strip, str(error).splitlines()))
            answer = {"error": f"{type(error).__name__}: {'; '.join(dict.fromkeys(lines))}"}
    Path(record).write_text(json.dumps(answer), encoding="utf-8")
    return "error" in answer


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
