// AVERAGE_POOL_2D by windows of up to 256 taps. Needs no scratch.
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

#include "engine/kernels/mve/bytes.h"
#include "engine/kernels/mve/mve.h"
#include "engine/kernels/window.h"
#include "engine/params.h"

namespace tinyseg {
namespace engine {
namespace mve {
namespace {

constexpr int32_t kLanes = 8;

// Of eight channels of a pixel; those of 256 bytes fit 16 bits.
int16x8_t SumOf(const WindowRows& input, int32_t first, int32_t columns, int32_t channels) {
  int16x8_t sums = vdupq_n_s16(0);
  for (int32_t tap_y = input.taps().begin; tap_y < input.taps().end; ++tap_y) {
    const int8_t* from = input.Row(tap_y, 0) + first;
    for (int32_t left = columns; left > 0; --left, from += channels) {
      sums = vaddq_s16(sums, vldrbq_s16(from));
    }
  }
  return sums;
}

}  // namespace

void AveragePool(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PoolParams>(node);
  const Window& window = params.window;
  const WindowRows input(rows, node, window, row);
  const int32_t width = rows.source(node, 0).width;
  const auto channels = static_cast<int32_t>(node.channels);
  for (int32_t x = 0; x < node.width; ++x) {
    int8_t* to = output + x * channels;
    const int32_t column = x * window.stride_x - window.left;
    const Range taps = TapsInside(column, window.width, 1, width);
    const int32_t columns = taps.end - taps.begin;
    const int32_t count = (input.taps().end - input.taps().begin) * columns;
    if (count == 0) continue;
    const int32_t first = (column + taps.begin) * channels;
    for (int32_t c = 0; c < channels; c += kLanes) {
      int16_t sums[kLanes];
      vstrhq_s16(sums, SumOf(input, first + c, columns, channels));
      for (int32_t i = 0; i < kLanes && c + i < channels; ++i) {
        // Rounded, ties away from zero.
        const int32_t half = sums[i] > 0 ? count / 2 : -(count / 2);
        *to++ = static_cast<int8_t>((sums[i] + half) / count);
      }
    }
  }
  Clamp(output, node.width * channels, params.least, params.most);
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
