// DEPTHWISE_CONV_2D by a window of 3x3 that steps by one pixel. Needs scratch for a row.
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/loops.h"
#include "engine/kernels/dsp/zero_rows.h"
#include "engine/kernels/requantize.h"

namespace tinyseg {
namespace engine {
namespace dsp {

void Depthwise3x3(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<DepthwiseParams>(node);
  const ZeroRows input(rows, node, params.window, row, params.input_zero);
  const int32_t left = params.window.left;
  const int32_t width = rows.source(node, 0).width;
  const auto* channels = rows.at<Depthwise3x3Channel>(params.channels);
  int8_t* to = output;
  for (uint32_t link = 0; link < node.link_count; ++link) {
    const auto count = static_cast<int32_t>(rows.source(node, link).channels);
    const int8_t* const upper = input.Row(0, link);
    const tinyseg_dsp_channels part = {upper,
                                       to,
                                       static_cast<int32_t>(input.Row(1, link) - upper),
                                       static_cast<int32_t>(input.Row(2, link) - upper),
                                       count,
                                       static_cast<int32_t>(node.channels),
                                       channels,
                                       count,
                                       width + left - 2,
                                       left,
                                       node.width + 2 - width - left,
                                       MakePair(params.input_zero, params.input_zero)};
    tinyseg_dsp_depthwise3x3(&part);
    channels += count;
    to += count;
  }
  ClampRow(output, static_cast<uint32_t>(node.width) * node.channels, params.least, params.most);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
