// TRANSPOSE_CONV as one product for each phase of its outputs. Scratch: the columns, and for less
// than four channels four bytes a pixel.
#if defined(__ARM_FEATURE_MVE)
#include "engine/kernels/mve/columns.h"
#include "engine/kernels/mve/gemm.h"
#include "engine/kernels/mve/mve.h"

namespace tinyseg {
namespace engine {
namespace mve {

void Transposed(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<TransposedParams>(node);
  const Window& window = params.window;
  const auto channels = static_cast<int32_t>(node.channels);
  const Node& source = rows.source(node, 0);
  const auto depth = static_cast<int32_t>(source.channels);
  const int32_t y = static_cast<int32_t>(row) + window.top;
  const int32_t phase_y = y % window.stride_y;
  const int32_t taps_y = (window.height - phase_y + window.stride_y - 1) / window.stride_y;
  // Columns of the input's rows under the window, the upper row first, with padding on both sides.
  const int32_t border = (window.width + window.stride_x - 1) / window.stride_x - 1;
  const int32_t column = taps_y * depth;
  const Columns columns(source.width, -border, 1, source.width + 2 * border, column,
                        params.input_zero);
  auto* const scratch = reinterpret_cast<int8_t*>(rows.scratch());
  for (int32_t tap = 0; tap < taps_y; ++tap) {
    CopyColumns(rows, node, y / window.stride_y - (taps_y - 1) + tap, columns,
                scratch + tap * depth);
  }
  const bool narrow = channels < 4;
  const int32_t pixel = narrow ? 4 : channels;
  int8_t* const to = narrow ? scratch + (columns.count * column + 3) / 4 * 4 : output;
  const auto* products = params.products + phase_y * window.stride_x;
  for (int32_t phase = 0; phase < window.stride_x; ++phase) {
    // The first pixel of the phase, and the column that its first tap meets.
    const int32_t first =
        (phase - window.left % window.stride_x + window.stride_x) % window.stride_x;
    const int32_t taps = (window.width - phase + window.stride_x - 1) / window.stride_x;
    const int32_t place = (first + window.left) / window.stride_x - (taps - 1) + border;
    const int32_t count = (node.width - first + window.stride_x - 1) / window.stride_x;
    if (first >= node.width) continue;
    Multiply(WeightsOf(rows, products[phase], params.output_zero), channels,
             scratch + place * column, column, to + first * pixel, window.stride_x * pixel, count);
  }
  if (narrow) Narrow(to, channels, node.width, output);
  Clamp(output, node.width * channels, params.least, params.most);
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
