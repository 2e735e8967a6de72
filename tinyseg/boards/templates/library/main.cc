{% if point.units -%}
// Pixels from stdin, {{ input.shape[1] }} rows of {{ input.shape[2] }} x {{ input.shape[3] }} bytes; the mask to stdout, a byte of 1 or 0 an
// output element.
#include <cstdio>
{%- if not point.mirrored %}
#include <cstring>
{%- endif %}
{% if point.mirrored %}
#include "core/mirror.h"
{%- endif %}
#include "core/operating_point.h"
{%- else -%}
// Pixels from stdin, {{ input.shape[1] }} rows of {{ input.shape[2] }} x {{ input.shape[3] }} bytes; the network's int8 output to stdout.
//
// real = (output - kModelOutputZeroPoint) * kModelOutputScale; foreground is above
// kModelMaskThreshold. Neither image is ever whole in memory.
#include <cstdio>
{% endif %}
#include "engine/engine.h"
#include "model_data.h"
#include "model_program.h"

namespace {

// Reads the pixel of an input element as it is stored.
bool Read(uint32_t {% if input_tables > 1 %}element{% endif %}, uint8_t* to) {
  const int pixel = std::getchar();
  if (pixel == EOF) return false;
{%- if input_tables == 1 %}
  *to = static_cast<uint8_t>(kModelInputTable[pixel]);
{%- else %}
{%- if channels_first %}
  const uint32_t channel = element / (kModelInputHeight * kModelInputWidth);
{%- else %}
  const uint32_t channel = element % kModelInputChannels;
{%- endif %}
  *to = static_cast<uint8_t>(kModelInputTable[256 * channel + pixel]);
{%- endif %}
  return true;
}

{% if point.units -%}
constexpr tinyseg::OperatingPoint kPoint = {
    kModelPointUnits,    kModelPointThreshold, kModelPointHeight,     kModelPointWidth,
    kModelPointRegions,  kModelPointFirst,     kModelPointCount,      kModelPointBlankBelow,
    kModelPointRelative, kModelPointSmallest,  kModelPointLargest,
};
// Parts are told apart in the whole mask.
uint8_t mask[kModelOutputElements];

{% endif -%}
{% if point.mirrored -%}
// The network sees the image, then its mirror image: the mean of both outputs decides.
constexpr tinyseg::MirroredRows kMirroredInput = {kModelInputWidth, kModelInputPlace};
constexpr tinyseg::MirroredRows kMirroredOutput = {kModelPointWidth, kModelPointPlace};
uint8_t image[kModelInputElements];

bool Pull(void* mirrored, uint32_t, uint32_t number, uint8_t* to) {
  for (uint32_t i = 0; i < kModelInputRow; ++i) {
    const size_t element = size_t{number} * kModelInputRow + i;
    to[i] = image[mirrored != nullptr ? kMirroredInput(element) : element];
  }
  return true;
}

bool Push(void* mirrored, uint32_t, uint32_t number, const uint8_t* row) {
  for (uint32_t i = 0; i < kModelOutputRow; ++i) {
    const size_t element = size_t{number} * kModelOutputRow + i;
    uint8_t& place = mask[mirrored != nullptr ? kMirroredOutput(element) : element];
    place = mirrored != nullptr ? tinyseg::MeanOf(place, row[i]) : row[i];
  }
  return true;
}
{%- else -%}
bool Pull(void*, uint32_t, uint32_t number, uint8_t* to) {
  for (uint32_t i = 0; i < kModelInputRow; ++i) {
    if (!Read(number * kModelInputRow + i, to + i)) return false;
  }
  return true;
}
{% if point.units %}
bool Push(void*, uint32_t, uint32_t number, const uint8_t* row) {
  std::memcpy(mask + number * kModelOutputRow, row, kModelOutputRow);
  return true;
}
{%- else %}
bool Push(void*, uint32_t, uint32_t, const uint8_t* row) {
  return std::fwrite(row, 1, kModelOutputRow, stdout) == kModelOutputRow;
}
{%- endif %}
{%- endif %}

}  // namespace

int main() {
  static tinyseg::engine::Interpreter interpreter;
  tinyseg::Status status = interpreter.Start({g_program, g_program_len}, kModelKernels,
                                             kModelRegions, kModelRegionCount);
{%- if point.mirrored %}
  for (uint32_t element = 0; element < kModelInputElements; ++element) {
    if (!Read(element, image + element)) {
      std::fprintf(stderr, "the image ends after %u pixels\n", unsigned(element));
      return 1;
    }
  }
{%- endif %}
  if (status.ok()) status = interpreter.Run({nullptr, Pull, Push, nullptr});
{%- if point.mirrored %}
  if (status.ok()) status = interpreter.Run({&interpreter, Pull, Push, nullptr});
{%- endif %}
  if (!status.ok()) std::fprintf(stderr, "%s (%u)\n", status.text, unsigned(status.detail));
{%- if point.units %}
  if (!status.ok()) return 1;
  tinyseg::ApplyPoint(kPoint, mask);
  return std::fwrite(mask, 1, sizeof(mask), stdout) == sizeof(mask) ? 0 : 1;
{%- else %}
  return status.ok() ? 0 : 1;
{%- endif %}
}
