// Any function of one int8 value. Needs no scratch.
#include "engine/kernels/portable/portable.h"
#include "engine/params.h"

namespace tinyseg {
namespace engine {
namespace portable {

void Table(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<TableParams>(node);
  const int8_t* const first = rows.at<int8_t>(params.table) + 128;
  const int8_t* from = rows.input(node, 0, row);
  const uint32_t channels = params.per_channel ? node.channels : node.width * node.channels;
  const uint32_t pixels = params.per_channel ? node.width : 1u;
  for (uint32_t x = 0; x < pixels; ++x) {
    const int8_t* table = first;
    for (uint32_t c = 0; c < channels; ++c) {
      *output++ = table[*from++];
      if (params.per_channel) table += 256;
    }
  }
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
