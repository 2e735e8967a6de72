// MAX_POOL_2D of four channels and more. Needs no scratch.
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/four.h"
#include "engine/kernels/dsp/intrinsics.h"
#include "engine/kernels/pool.h"
#include "engine/kernels/requantize.h"

namespace tinyseg {
namespace engine {
namespace dsp {
namespace {

// Pixels of four taps that all lie inside the input; `step` is the way from one to the next there.
__attribute__((noinline)) void PoolFours(const int8_t* upper, const int8_t* lower, int32_t channels,
                                         int32_t step, int32_t pixels, int8_t* to) {
  for (; pixels > 0; --pixels, upper += step, lower += step, to += channels) {
    ForEachFour(channels, [&](int32_t c) {
      const uint32_t first = LargerBytes(LoadWord(upper + c), LoadWord(upper + channels + c));
      const uint32_t second = LargerBytes(LoadWord(lower + c), LoadWord(lower + channels + c));
      StoreWord(to + c, LargerBytes(first, second));
    });
  }
}

}  // namespace

void MaxPool(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PoolParams>(node);
  const auto channels = static_cast<int32_t>(node.channels);
  const Pool pool(rows, node, row);
  const Range fours = pool.Fours();
  if (fours.begin < fours.end) {
    const int32_t first = pool.First(fours.begin);
    PoolFours(pool.input().Row(0, 0) + first, pool.input().Row(1, 0) + first, channels,
              params.window.stride_x * channels, fours.end - fours.begin,
              output + fours.begin * channels);
  }
  pool.ForEach(fours, output, [](const PoolWindow& window, int8_t* to) {
    ForEachFour(window.channels, [&](int32_t c) {
      uint32_t largest = 0x80808080u;
      window.ForEach(c,
                     [&](const int8_t* from) { largest = LargerBytes(largest, LoadWord(from)); });
      StoreWord(to + c, largest);
    });
  });
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
