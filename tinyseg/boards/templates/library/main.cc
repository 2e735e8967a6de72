{% if point.units -%}
// Pixels from stdin, {{ input.shape[1] }} rows of {{ input.shape[2] }} x {{ input.shape[3] }} bytes; the mask to stdout, a byte of 1 or 0 an
// output element.
#include <cstdio>
#include <cstring>

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

{% if input_tables > 1 -%}
bool Pull(void*, uint32_t, uint32_t number, uint8_t* to) {
  for (uint32_t i = 0; i < kModelInputRow; ++i) {
    const int pixel = std::getchar();
    if (pixel == EOF) return false;
{%- if channels_first %}
    const uint32_t element = number * kModelInputRow + i;
    const uint32_t channel = element / (kModelInputHeight * kModelInputWidth);
{%- else %}
    const uint32_t channel = (number * kModelInputRow + i) % kModelInputChannels;
{%- endif %}
    to[i] = static_cast<uint8_t>(kModelInputTable[256 * channel + pixel]);
  }
  return true;
}
{%- else -%}
bool Pull(void*, uint32_t, uint32_t, uint8_t* to) {
  for (uint32_t i = 0; i < kModelInputRow; ++i) {
    const int pixel = std::getchar();
    if (pixel == EOF) return false;
    to[i] = static_cast<uint8_t>(kModelInputTable[pixel]);
  }
  return true;
}
{%- endif %}

{% if point.units -%}
constexpr tinyseg::OperatingPoint kPoint = {
    kModelPointUnits,    kModelPointThreshold, kModelPointHeight,     kModelPointWidth,
    kModelPointRegions,  kModelPointFirst,     kModelPointCount,      kModelPointBlankBelow,
    kModelPointRelative, kModelPointSmallest,  kModelPointLargest,
};
// Parts are told apart in the whole mask.
uint8_t mask[kModelOutputElements];

bool Push(void*, uint32_t, uint32_t number, const uint8_t* row) {
  std::memcpy(mask + number * kModelOutputRow, row, kModelOutputRow);
  return true;
}
{%- else -%}
bool Push(void*, uint32_t, uint32_t, const uint8_t* row) {
  return std::fwrite(row, 1, kModelOutputRow, stdout) == kModelOutputRow;
}
{%- endif %}

}  // namespace

int main() {
  static tinyseg::engine::Interpreter interpreter;
  tinyseg::Status status = interpreter.Start({g_program, g_program_len}, kModelKernels,
                                             kModelRegions, kModelRegionCount);
  if (status.ok()) status = interpreter.Run({nullptr, Pull, Push, nullptr});
  if (!status.ok()) std::fprintf(stderr, "%s (%u)\n", status.text, unsigned(status.detail));
{%- if point.units %}
  if (!status.ok()) return 1;
  tinyseg::ApplyPoint(kPoint, mask);
  return std::fwrite(mask, 1, sizeof(mask), stdout) == sizeof(mask) ? 0 : 1;
{%- else %}
  return status.ok() ? 0 : 1;
{%- endif %}
}
