// Windows of a row of a convolution, as pixels of a product.
#ifndef TINYSEG_ENGINE_KERNELS_MVE_WINDOWS_H_
#define TINYSEG_ENGINE_KERNELS_MVE_WINDOWS_H_

#include "engine/kernels/mve/columns.h"
#include "engine/kernels/mve/params.h"

namespace tinyseg {
namespace engine {
namespace mve {

struct Windows {
  const int8_t* first;
  int32_t step;     // Bytes between neighbours.
  int8_t* scratch;  // What is left of it.
};

// Copies the columns under the windows to `scratch` unless they lie in one piece.
inline Windows FindWindows(const Rows& rows, const Node& node, const ConvolutionParams& params,
                           uint32_t row, int8_t* scratch) {
  const Window& window = params.window;
  const int32_t origin = static_cast<int32_t>(row) * window.stride_y - window.top;
  if (!params.copied) {
    const auto column = static_cast<int32_t>(rows.source(node, 0).channels);
    const int8_t* const pixels = rows.input(node, 0, static_cast<uint32_t>(origin));
    return {pixels, window.stride_x * column, scratch};
  }
  int32_t depth = 0;
  for (uint32_t link = 0; link < node.link_count; ++link) {
    depth += static_cast<int32_t>(rows.source(node, link).channels);
  }
  const int32_t column = window.height * depth;
  const Columns columns(rows.source(node, 0).width, -window.left, 1,
                        (node.width - 1) * window.stride_x + window.width, column,
                        params.input_zero);
  for (int32_t tap = 0; tap < window.height; ++tap) {
    CopyColumns(rows, node, origin + tap * window.dilation_y, columns, scratch + tap * depth);
  }
  return {scratch, window.stride_x * column, scratch + (columns.count * column + 3) / 4 * 4};
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_MVE_WINDOWS_H_
