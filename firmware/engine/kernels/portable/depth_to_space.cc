// DEPTH_TO_SPACE. Needs no scratch.
#include <cstring>

#include "engine/kernels/portable/portable.h"
#include "engine/params.h"

namespace tinyseg {
namespace engine {
namespace portable {

void DepthToSpace(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<BlockParams>(node);
  const auto block = static_cast<uint32_t>(params.block);
  // Neighbours in a block's row are neighbours in the source's channels.
  const uint32_t bytes = block * node.channels * static_cast<uint32_t>(params.element);
  const uint32_t from_row = row / block;
  const int8_t* from = rows.input(node, 0, from_row) + (row - from_row * block) * bytes;
  for (uint32_t x = 0; x < node.width; x += block, from += block * bytes, output += bytes) {
    std::memcpy(output, from, bytes);
  }
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
