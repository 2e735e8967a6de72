// PAD, SLICE, CONCATENATION. Needs no scratch.
#include <cstring>

#include "engine/kernels/portable/portable.h"
#include "engine/params.h"

namespace tinyseg {
namespace engine {
namespace portable {
namespace {

void CopyPart(const engine::CopyPart& part, int32_t element, const int8_t* from,
              int32_t from_channels, int8_t* to, int32_t to_channels) {
  from += (part.from_x * from_channels + part.from_c) * element;
  to += (part.to_x * to_channels + part.to_c) * element;
  const auto bytes = static_cast<size_t>(part.channels * element);
  if (part.step_x == 1 && part.channels == from_channels && part.channels == to_channels) {
    std::memcpy(to, from, bytes * static_cast<size_t>(part.width));
    return;
  }
  for (int32_t x = 0; x < part.width; ++x) {
    std::memcpy(to, from, bytes);
    from += part.step_x * from_channels * element;
    to += to_channels * element;
  }
}

}  // namespace

void CopyRows(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<CopyParams>(node);
  std::memset(output, params.fill, node.row_bytes);
  for (uint32_t link = 0; link < node.link_count; ++link) {
    const Node& source = rows.source(node, link);
    const Link& rule = rows.links(node)[link];
    int32_t from = static_cast<int32_t>(row * rule.step) + rule.low;
    if (from < 0) continue;
    from = static_cast<int32_t>(static_cast<uint32_t>(from) / rule.divisor);
    if (from >= source.rows) continue;
    CopyPart(params.parts[link], params.element,
             rows.input(node, link, static_cast<uint32_t>(from)),
             static_cast<int32_t>(source.channels), output, static_cast<int32_t>(node.channels));
  }
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
