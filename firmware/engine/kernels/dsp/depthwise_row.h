// Rows of depthwise convolutions by small windows.
#ifndef TINYSEG_ENGINE_KERNELS_DSP_DEPTHWISE_ROW_H_
#define TINYSEG_ENGINE_KERNELS_DSP_DEPTHWISE_ROW_H_

#include "engine/kernel.h"
#include "engine/kernels/dsp/loops.h"

namespace tinyseg {
namespace engine {
namespace dsp {

using DepthwiseLoop = void (*)(const tinyseg_dsp_channels* channels);

// Computes a row with a loop whose channels are `channel_words` long each. Needs scratch for a row.
void ComputeDepthwise(const Rows& rows, const Node& node, uint32_t row, int8_t* output,
                      DepthwiseLoop loop, int32_t channel_words);

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_DSP_DEPTHWISE_ROW_H_
