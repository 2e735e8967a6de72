// TINYSEG_BINARY_CONV_2D. Its scratch is described at BinaryConvolutionParams.
#include <cstring>

#include "engine/kernels/portable/portable.h"
#include "engine/kernels/window.h"
#include "ops/binary_conv.h"

namespace tinyseg {
namespace engine {
namespace portable {

void BinaryConvolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<BinaryConvolutionParams>(node);
  const Window& window = params.window;
  const Node& source = rows.source(node, 0);
  const WindowRows input(rows, node, window, row);
  const Range& taps = input.taps();
  // The rows under the window are an image of their own, of which one row is computed.
  const BinaryConvShape shape = {taps.end - taps.begin,
                                 source.width,
                                 static_cast<int32_t>(source.channels),
                                 1,
                                 node.width,
                                 static_cast<int32_t>(node.channels),
                                 window.height,
                                 window.width,
                                 window.stride_y,
                                 window.stride_x,
                                 taps.begin,
                                 window.left};
  auto* words = reinterpret_cast<uint32_t*>(rows.scratch());
  auto* image = reinterpret_cast<int8_t*>(words + shape.scratch_words());
  for (int32_t tap = taps.begin; tap < taps.end; ++tap) {
    std::memcpy(image + static_cast<uint32_t>(tap - taps.begin) * source.row_bytes,
                input.Row(tap, 0), source.row_bytes);
  }
  BinaryConv(shape, {params.input_zero, params.output_zero, params.least, params.most}, image,
             rows.at<uint32_t>(params.filter), rows.at<Requantization>(params.requantization),
             words, output);
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
