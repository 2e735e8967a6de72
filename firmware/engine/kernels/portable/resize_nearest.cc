// RESIZE_NEAREST_NEIGHBOR. Needs no scratch.
#include <cstring>

#include "engine/kernels/elementwise.h"
#include "engine/kernels/portable/portable.h"

namespace tinyseg {
namespace engine {
namespace portable {

void ResizeNearest(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<ResizeNearestParams>(node);
  const auto* columns = rows.at<uint16_t>(params.columns);
  const int8_t* from = LinkedRow(rows, node, 0, row);
  const uint32_t bytes = node.channels * static_cast<uint32_t>(params.element);
  for (uint32_t x = 0; x < node.width; ++x, output += bytes) {
    std::memcpy(output, from + columns[x] * bytes, bytes);
  }
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
