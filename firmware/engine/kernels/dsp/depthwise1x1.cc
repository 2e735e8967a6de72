// DEPTHWISE_CONV_2D by a window of one pixel. Needs no scratch.
#include "engine/kernels/dsp/depthwise_row.h"
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/finish.h"

namespace tinyseg {
namespace engine {
namespace dsp {
namespace {

void ComputeChannels(const tinyseg_dsp_channels* row) {
  const auto* channel = reinterpret_cast<const Depthwise1x1Channel*>(row->channels);
  const int32_t step = row->step;
  const int32_t output_step = row->output_step;
  for (int32_t c = 0; c < row->channel_count; ++c) {
    const Depthwise1x1Channel own = channel[c];
    const int8_t* from = row->input + c;
    int8_t* to = row->output + c;
    for (int32_t x = row->pixels; x > 0; --x, from += step, to += output_step) {
      *to = Byte<true>(*from * own.weight + own.bias, own.finish);
    }
  }
}

}  // namespace

void Depthwise1x1(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  ComputeDepthwise(rows, node, row, output, ComputeChannels, sizeof(Depthwise1x1Channel) / 4);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
