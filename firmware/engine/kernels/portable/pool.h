// What poolings share: the windows of a row, one for each of its pixels.
#ifndef TINYSEG_ENGINE_KERNELS_PORTABLE_POOL_H_
#define TINYSEG_ENGINE_KERNELS_PORTABLE_POOL_H_

#include "engine/kernels/requantize.h"
#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace portable {

// Computes a row of `node` by `pixel(input, column, taps, channels, to)`, which is called for each
// pixel: the source's rows, its column where the window starts, which of the window's columns lie
// inside, and where the pixel goes.
template <typename Pixel>
void PoolRow(const Rows& rows, const Node& node, uint32_t row, int8_t* output, Pixel pixel) {
  const auto& params = rows.params<PoolParams>(node);
  const Window& window = params.window;
  const WindowRows input(rows, node, window, row);
  const int32_t width = rows.source(node, 0).width;
  const auto channels = static_cast<int32_t>(node.channels);
  int8_t* to = output;
  for (int32_t x = 0; x < node.width; ++x, to += channels) {
    const int32_t column = x * window.stride_x - window.left;
    pixel(input, column, TapsInside(column, window.width, 1, width), channels, to);
  }
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_PORTABLE_POOL_H_
