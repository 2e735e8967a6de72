// CONV_2D, FULLY_CONNECTED. Scratch: the columns, and for less than four channels four bytes a
// pixel.
#if defined(__ARM_FEATURE_MVE)
#include "engine/kernels/mve/gemm.h"
#include "engine/kernels/mve/mve.h"
#include "engine/kernels/mve/windows.h"

namespace tinyseg {
namespace engine {
namespace mve {

void Convolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<ConvolutionParams>(node);
  const auto channels = static_cast<int32_t>(node.channels);
  const Windows windows =
      FindWindows(rows, node, params, row, reinterpret_cast<int8_t*>(rows.scratch()));
  int8_t* const to = channels < 4 ? windows.scratch : output;
  Multiply(WeightsOf(rows, params.product, params.output_zero), channels, windows.first,
           windows.step, to, channels < 4 ? 4 : channels, node.width);
  if (channels < 4) Narrow(to, channels, node.width, output);
  Clamp(output, node.width * channels, params.least, params.most);
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
