// AVERAGE_POOL_2D. Needs no scratch.
#include "engine/kernels/portable/portable.h"
#include "engine/kernels/requantize.h"
#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace portable {

void AveragePool(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PoolParams>(node);
  const Window& window = params.window;
  const WindowRows input(rows, node, window, row);
  const int32_t width = rows.source(node, 0).width;
  const auto channels = static_cast<int32_t>(node.channels);
  int8_t* to = output;
  for (int32_t x = 0; x < node.width; ++x, to += channels) {
    const int32_t column = x * window.stride_x - window.left;
    const Range taps = TapsInside(column, window.width, 1, width);
    const int32_t count = (input.taps().end - input.taps().begin) * (taps.end - taps.begin);
    if (count == 0) continue;
    for (int32_t c = 0; c < channels; ++c) {
      int32_t sum = 0;
      for (int32_t tap_y = input.taps().begin; tap_y < input.taps().end; ++tap_y) {
        const int8_t* from = input.Row(tap_y, 0) + (column + taps.begin) * channels + c;
        for (int32_t tap_x = taps.begin; tap_x < taps.end; ++tap_x, from += channels) sum += *from;
      }
      // Rounded, ties away from zero.
      const int32_t half = sum > 0 ? count / 2 : -(count / 2);
      to[c] = static_cast<int8_t>((sum + half) / count);
    }
  }
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
