// AVERAGE_POOL_2D of four channels and more, by windows of up to 256 taps. Needs no scratch.
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/four.h"
#include "engine/kernels/dsp/intrinsics.h"
#include "engine/kernels/pool.h"
#include "engine/kernels/requantize.h"

namespace tinyseg {
namespace engine {
namespace dsp {
namespace {

// Four channels of a pixel.
uint32_t PoolFour(const PoolWindow& window, int32_t channel) {
  // Sums of 256 bytes fit 16 bits.
  Pair even = 0;
  Pair odd = 0;
  window.ForEach(channel, [&](const int8_t* from) {
    const uint32_t word = LoadWord(from);
    even = AddEvenBytes(even, word);
    odd = AddOddBytes(odd, word);
  });
  const int32_t count = window.count();
  if (count == 0) return 0;
  return MakeWord(MeanOf(Lower(even), count), MeanOf(Lower(odd), count), MeanOf(Upper(even), count),
                  MeanOf(Upper(odd), count));
}

}  // namespace

void AveragePool(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PoolParams>(node);
  Pool(rows, node, row).ForEach({0, 0}, output, [](const PoolWindow& window, int8_t* to) {
    ForEachFour(window.channels, [&](int32_t c) { StoreWord(to + c, PoolFour(window, c)); });
  });
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
