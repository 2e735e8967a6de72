// RESHAPE, SQUEEZE, EXPAND_DIMS: the same bytes in other rows. Needs no scratch.
#include <cstring>

#include "engine/kernels/portable/portable.h"

namespace tinyseg {
namespace engine {
namespace portable {

void Reshape(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const uint32_t width = rows.source(node, 0).row_bytes;
  const uint32_t begin = row * node.row_bytes;
  uint32_t from_row = begin / width;
  uint32_t offset = begin - from_row * width;
  for (uint32_t rest = node.row_bytes; rest > 0;) {
    const uint32_t count = rest < width - offset ? rest : width - offset;
    std::memcpy(output, rows.input(node, 0, from_row) + offset, count);
    output += count;
    rest -= count;
    offset = 0;
    ++from_row;
  }
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
