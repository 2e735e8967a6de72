// MUL of a tensor and one with a value for each of its pixels, where no output lies below the zero
// point; and a function of each channel's products. Needs no scratch.
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/loops.h"
#include "engine/kernels/elementwise.h"

namespace tinyseg {
namespace engine {
namespace dsp {

void Gate(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<GateParams>(node);
  const tinyseg_dsp_gate_row gate = {LinkedRow(rows, node, 0, row),
                                     params.gate_zero,
                                     params.bits,
                                     -params.zero,
                                     params.has_tables ? rows.at<int8_t>(params.tables) : nullptr,
                                     static_cast<int32_t>(node.channels / 4),
                                     node.width,
                                     LinkedRow(rows, node, 1, row),
                                     output,
                                     params.multiplier,
                                     params.rounding};
  tinyseg_dsp_gate(&gate);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
