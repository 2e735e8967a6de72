// AVERAGE_POOL_2D of four channels and more, by windows of up to 256 taps. Needs no scratch.
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/four.h"
#include "engine/kernels/dsp/intrinsics.h"
#include "engine/kernels/requantize.h"
#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace dsp {
namespace {

// Rounded, ties away from zero.
inline int32_t Mean(int32_t sum, int32_t count) {
  return (sum + (sum > 0 ? count / 2 : -(count / 2))) / count;
}

// Four channels of a pixel.
uint32_t PoolFour(const WindowRows& input, int32_t first, const Range& taps, int32_t channels) {
  // Sums of 256 bytes fit 16 bits.
  Pair even = 0;
  Pair odd = 0;
  for (int32_t tap_y = input.taps().begin; tap_y < input.taps().end; ++tap_y) {
    const int8_t* from = input.Row(tap_y, 0) + first;
    for (int32_t left = taps.end - taps.begin; left > 0; --left, from += channels) {
      const uint32_t word = LoadWord(from);
      even = AddEvenBytes(even, word);
      odd = AddOddBytes(odd, word);
    }
  }
  const int32_t count = (input.taps().end - input.taps().begin) * (taps.end - taps.begin);
  if (count == 0) return 0;
  return MakeWord(Mean(Lower(even), count), Mean(Lower(odd), count), Mean(Upper(even), count),
                  Mean(Upper(odd), count));
}

}  // namespace

void AveragePool(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PoolParams>(node);
  const Window& window = params.window;
  const WindowRows input(rows, node, window, row);
  const int32_t width = rows.source(node, 0).width;
  const auto channels = static_cast<int32_t>(node.channels);
  int8_t* to = output;
  for (int32_t x = 0; x < node.width; ++x, to += channels) {
    const int32_t column = x * window.stride_x - window.left;
    const Range taps = TapsInside(column, window.width, 1, width);
    const int32_t first = (column + taps.begin) * channels;
    ForEachFour(channels,
                [&](int32_t c) { StoreWord(to + c, PoolFour(input, first + c, taps, channels)); });
  }
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
