"""What tests of the exported C source share."""

import json
import subprocess

from tests import fixtures
from tests.fixtures import one_operator
from tinyseg.boards.c_source import ArenaSize
from tinyseg.plan import PreprocessingPlan
from tinyseg.tflite import TfliteModel

PLAIN = PreprocessingPlan(height=fixtures.SIZE, width=fixtures.SIZE)


ARENA = ArenaSize(10_000, 11_024, "10,000 measured by hand")


# Names, so that a missing constant is a compiler's error and a wrong one a different number.
PROGRAM = r"""
#include <cinttypes>
#include <cstdio>

#include "model_data.h"

static void PrintBytes(const char* name, const void* data, unsigned size) {
  std::printf("\"%s\": \"", name);
  for (unsigned i = 0; i < size; ++i) {
    std::printf("%02x", static_cast<const unsigned char*>(data)[i]);
  }
  std::printf("\",\n");
}

static void PrintNumber(const char* name, uint64_t value) {
  std::printf("\"%s\": %" PRIu64 ",\n", name, value);
}

int main() {
  std::printf("{");
  PrintBytes("name", kModelName, sizeof(kModelName));
  PrintBytes("content", g_model, g_model_len);
  PrintBytes("sha256", kModelSha256, sizeof(kModelSha256));
  PrintBytes("table", kModelInputTable, sizeof(kModelInputTable));
  PrintBytes("threshold", &kModelMaskThreshold, sizeof(kModelMaskThreshold));
  PrintBytes("scales", &kModelInputScale, sizeof(float));
  PrintBytes("output_scale", &kModelOutputScale, sizeof(float));
  PrintNumber("length", g_model_len);
  PrintNumber("crc32", kModelCrc32);
  PrintNumber("misaligned", reinterpret_cast<uintptr_t>(g_model) % 16);
  PrintNumber("arena", kModelArenaSize);
  PrintNumber("measured", kModelArenaMeasured);
  PrintNumber("input_elements", kModelInputElements);
  PrintNumber("height", kModelInputHeight);
  PrintNumber("width", kModelInputWidth);
  PrintNumber("channels", kModelInputChannels);
  PrintNumber("output_elements", kModelOutputElements);
  PrintNumber("operators", kModelOperatorCount);
  PrintNumber("input_type", kModelInputType);
  PrintNumber("output_type", kModelOutputType);
  std::printf("\"input_zero_point\": %d,\n", static_cast<int>(kModelInputZeroPoint));
  std::printf("\"output_zero_point\": %d}\n", static_cast<int>(kModelOutputZeroPoint));
}
"""


def run_cpp(folder):
    """Compile the exported files with a program that prints them, and run it."""
    (folder / "main.cc").write_text(PROGRAM)
    command = ["g++", "-std=c++17", "-pedantic", "-Wall", "-Wextra", "-Werror", "main.cc"]
    compiled = subprocess.run(
        [*command, "model_data.cc", "-o", "main"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert compiled.returncode == 0, compiled.stderr[:2000]
    printed = subprocess.run([folder / "main"], capture_output=True, text=True, check=True)
    return json.loads(printed.stdout)


def single(draft, out=None, path="one.tflite", opcode="RELU"):
    return TfliteModel.parse(one_operator(opcode, [draft], out or draft), path)


def constant(folder, name):
    """A constant's text in the exported header."""
    text = (folder / "model_data.h").read_text()
    return text.partition(f" {name} = ")[2].partition(";")[0]
