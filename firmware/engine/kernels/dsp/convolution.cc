// CONV_2D and FULLY_CONNECTED of four pixels a row and more.
#include "engine/kernels/dsp/convolution.h"

#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/requantize.h"
#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace dsp {

void ComputeConvolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output,
                        uint8_t* scratch, const Unpacker* unpacker) {
  const auto& params = rows.params<ConvolutionParams>(node);
  const Window& window = params.window;
  const WindowRows input(rows, node, window, row);
  const auto channels = static_cast<int32_t>(node.channels);
  const GemmRow task = {params.gemm,
                        rows.source(node, 0).width,
                        window.stride_x,
                        node.width,
                        channels,
                        output,
                        channels,
                        params.pairs,
                        rows.at<int8_t>(params.weights),
                        scratch,
                        unpacker};
  Gemm gemm(task);
  const bool is_whole = node.link_count == 1 && (window.dilation_x == 1 || window.width == 1);
  const int32_t columns = is_whole ? window.width : 1;
  for (int32_t tap_y = 0; tap_y < window.height; ++tap_y) {
    const bool is_inside = tap_y >= input.taps().begin && tap_y < input.taps().end;
    for (int32_t tap = 0; tap < window.width; tap += columns) {
      for (uint32_t link = 0; link < node.link_count; ++link) {
        gemm.Add({is_inside ? input.Row(tap_y, link) : nullptr,
                  static_cast<int32_t>(rows.source(node, link).channels), columns,
                  tap * window.dilation_x - window.left});
      }
    }
  }
  gemm.Compute();
  ClampRow(output, static_cast<uint32_t>(node.width) * node.channels, params.gemm.least,
           params.gemm.most);
}

void Convolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  ComputeConvolution(rows, node, row, output, rows.scratch(), nullptr);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
