"""One place reads and writes the schema of ``.tflite`` files."""

from pathlib import Path

import tinyseg

PACKAGE = Path(tinyseg.__file__).parent


def naming(word):
    """Modules of the package whose text has a word."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return [str(p.relative_to(PACKAGE)) for p in paths if word in p.read_text()]


def test_one_module_imports_the_generated_schema():
    assert naming("schema_py_generated") == ["tflite/schema.py"]
    assert naming("flatbuffers\n") == ["tflite/schema.py"]


def test_nobody_edits_with_objects_of_another_package():
    assert naming("model_editor") == []


def test_only_this_room_reads_the_schema():
    found = naming("tinyseg.tflite.schema") + naming("tinyseg.tflite import schema")
    assert found
    assert [path for path in found if not path.startswith("tflite/")] == []
