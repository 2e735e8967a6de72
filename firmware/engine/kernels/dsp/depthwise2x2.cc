// DEPTHWISE_CONV_2D by a window of 2x2 that steps by one pixel. Needs scratch for a row.
#include "engine/kernels/dsp/depthwise_row.h"
#include "engine/kernels/dsp/dsp.h"

namespace tinyseg {
namespace engine {
namespace dsp {

void Depthwise2x2(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  ComputeDepthwise(rows, node, row, output, tinyseg_dsp_depthwise2x2,
                   sizeof(Depthwise2x2Channel) / 4);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
