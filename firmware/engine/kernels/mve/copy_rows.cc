// PAD, SLICE, CONCATENATION. Needs no scratch.
#if defined(__ARM_FEATURE_MVE)
#include "engine/kernels/mve/bytes.h"
#include "engine/kernels/mve/mve.h"
#include "engine/params.h"

namespace tinyseg {
namespace engine {
namespace mve {

void CopyRows(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<CopyParams>(node);
  const int32_t element = params.element;
  const int32_t pixel = static_cast<int32_t>(node.channels) * element;
  Fill(output, params.fill, static_cast<int32_t>(node.row_bytes));
  for (uint32_t link = 0; link < node.link_count; ++link) {
    const Node& source = rows.source(node, link);
    const Link& rule = rows.links(node)[link];
    int32_t from = static_cast<int32_t>(row * rule.step) + rule.low;
    if (from < 0) continue;
    from = static_cast<int32_t>(static_cast<uint32_t>(from) / rule.divisor);
    if (from >= source.rows) continue;
    const CopyPart& part = params.parts[link];
    const int32_t source_pixel = static_cast<int32_t>(source.channels) * element;
    CopyPieces(output + part.to_x * pixel + part.to_c * element, pixel,
               rows.input(node, link, static_cast<uint32_t>(from)) + part.from_x * source_pixel +
                   part.from_c * element,
               part.step_x * source_pixel, part.channels * element, part.width);
  }
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
