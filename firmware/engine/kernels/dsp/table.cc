// Any function of one int8 value. Needs no scratch.
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/intrinsics.h"
#include "engine/params.h"

namespace tinyseg {
namespace engine {
namespace dsp {
namespace {

// `step` is the way from a channel's table to the next.
template <int32_t kStep>
void LookUp(const int8_t* from, const int8_t* table, uint32_t count, int8_t* to) {
  for (; count >= 4; count -= 4, from += 4, to += 4, table += 4 * kStep) {
    const uint32_t word = LoadWord(from);
    const int32_t first = table[ByteOf<0>(word)];
    const int32_t second = (table + kStep)[ByteOf<1>(word)];
    const int32_t third = (table + 2 * kStep)[ByteOf<2>(word)];
    const int32_t fourth = (table + 3 * kStep)[ByteOf<3>(word)];
    StoreWord(to, MakeWord(first, second, third, fourth));
  }
  for (; count > 0; --count, table += kStep) *to++ = table[*from++];
}

}  // namespace

void Table(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  constexpr int32_t kEntries = 256;
  const auto& params = rows.params<TableParams>(node);
  const int8_t* const table = rows.at<int8_t>(params.table) + kEntries / 2;
  const int8_t* from = rows.input(node, 0, row);
  if (!params.per_channel) return LookUp<0>(from, table, node.width * node.channels, output);
  for (uint32_t x = 0; x < node.width; ++x, from += node.channels, output += node.channels) {
    LookUp<kEntries>(from, table, node.channels, output);
  }
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
