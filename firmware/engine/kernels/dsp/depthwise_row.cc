#include "engine/kernels/dsp/depthwise_row.h"

#include "engine/kernels/dsp/zero_rows.h"
#include "engine/kernels/requantize.h"

namespace tinyseg {
namespace engine {
namespace dsp {

void ComputeDepthwise(const Rows& rows, const Node& node, uint32_t row, int8_t* output,
                      DepthwiseLoop loop, int32_t channel_words) {
  const auto& params = rows.params<DepthwiseParams>(node);
  const Window& window = params.window;
  const ZeroRows input(rows, node, window, row, params.input_zero);
  const int32_t last = (node.width - 1) * window.stride_x + window.width - 1 - window.left;
  const int32_t right = last >= rows.source(node, 0).width;
  const auto* channels = rows.at<int32_t>(params.channels);
  int8_t* to = output;
  for (uint32_t link = 0; link < node.link_count; ++link) {
    const auto count = static_cast<int32_t>(rows.source(node, link).channels);
    const int8_t* const upper = input.Row(0, link);
    const tinyseg_dsp_channels part = {
        upper,
        to,
        static_cast<int32_t>(input.Row(1, link) - upper),
        static_cast<int32_t>(input.Row(window.height - 1, link) - upper),
        count,
        static_cast<int32_t>(node.channels),
        channels,
        count,
        node.width - right,
        window.left,
        right,
        MakePair(params.input_zero, params.input_zero)};
    loop(&part);
    channels += count * channel_words;
    to += count;
  }
  ClampRow(output, static_cast<uint32_t>(node.width) * node.channels, params.least, params.most);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
