// SPACE_TO_DEPTH. Needs no scratch.
#include <cstring>

#include "engine/kernels/portable/portable.h"
#include "engine/params.h"

namespace tinyseg {
namespace engine {
namespace portable {

void SpaceToDepth(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<BlockParams>(node);
  const auto block = static_cast<uint32_t>(params.block);
  // A block's row lies together in the source and in the output's channels.
  const uint32_t bytes = node.row_bytes / node.width / block;
  for (uint32_t y = 0; y < block; ++y) {
    const int8_t* from = rows.input(node, 0, row * block + y);
    int8_t* to = output + y * bytes;
    for (uint32_t x = 0; x < node.width; ++x, from += bytes, to += block * bytes) {
      std::memcpy(to, from, bytes);
    }
  }
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
