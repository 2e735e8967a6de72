// CONV_2D of one channel by a window of one pixel: a table of all channels for each value. Needs no
// scratch.
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/intrinsics.h"
#include "engine/kernels/dsp/params.h"
#include "engine/kernels/elementwise.h"

namespace tinyseg {
namespace engine {
namespace dsp {

void PixelTable(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  constexpr int32_t kStep = 8;  // Channels that are copied together.
  const auto channels = static_cast<int32_t>(node.channels);
  const int8_t* const table =
      rows.at<int8_t>(rows.params<PixelTableParams>(node).table) + 128 * channels;
  const int8_t* from = LinkedRow(rows, node, 0, row);
  for (const int8_t* const end = from + node.width; from != end; ++from) {
    const int8_t* entry = table + *from * channels;
    for (int32_t c = channels; c > 0; c -= kStep, entry += kStep, output += kStep) {
      const uint32_t first = LoadWord(entry);
      const uint32_t second = LoadWord(entry + 4);
      StoreWord(output, first);
      StoreWord(output + 4, second);
    }
  }
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
