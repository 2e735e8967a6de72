// CONV_2D, FULLY_CONNECTED. Scratch: the columns, and for less than four channels four bytes a
// pixel.
#if defined(__ARM_FEATURE_MVE)
#include "engine/kernels/mve/columns.h"
#include "engine/kernels/mve/gemm.h"
#include "engine/kernels/mve/mve.h"

namespace tinyseg {
namespace engine {
namespace mve {
void Convolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<ConvolutionParams>(node);
  const Window& window = params.window;
  const auto channels = static_cast<int32_t>(node.channels);
  const int32_t origin = static_cast<int32_t>(row) * window.stride_y - window.top;
  auto* scratch = reinterpret_cast<int8_t*>(rows.scratch());
  const int8_t* pixels;
  int32_t column;
  if (params.copied) {
    int32_t depth = 0;
    for (uint32_t link = 0; link < node.link_count; ++link) {
      depth += static_cast<int32_t>(rows.source(node, link).channels);
    }
    column = window.height * depth;
    const Columns columns(rows.source(node, 0).width, -window.left, 1,
                          (node.width - 1) * window.stride_x + window.width, column,
                          params.input_zero);
    for (int32_t tap = 0; tap < window.height; ++tap) {
      CopyColumns(rows, node, origin + tap * window.dilation_y, columns, scratch + tap * depth);
    }
    pixels = scratch;
    scratch += (columns.count * column + 3) / 4 * 4;
  } else {
    column = static_cast<int32_t>(rows.source(node, 0).channels);
    pixels = rows.input(node, 0, static_cast<uint32_t>(origin));
  }
  int8_t* const to = channels < 4 ? scratch : output;
  Multiply(rows, params.product, params.output_zero, channels, pixels, window.stride_x * column, to,
           channels < 4 ? 4 : channels, node.width);
  if (channels < 4) Narrow(to, channels, node.width, output);
  Clamp(output, node.width * channels, params.least, params.most);
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
