// RESIZE_NEAREST_NEIGHBOR. Needs no scratch.
#include <cstring>

#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/elementwise.h"

namespace tinyseg {
namespace engine {
namespace dsp {

void ResizeNearest(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<ResizeNearestParams>(node);
  const auto* columns = rows.at<uint16_t>(params.columns);
  const int8_t* from = LinkedRow(rows, node, 0, row);
  const uint32_t bytes = node.channels * static_cast<uint32_t>(params.element);
  const uint16_t* const end = columns + node.width;
  if (bytes == 1) {
    while (columns != end) *output++ = from[*columns++];
    return;
  }
  for (; columns != end; ++columns, output += bytes) {
    std::memcpy(output, from + *columns * bytes, bytes);
  }
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
