// MAX_POOL_2D of four channels and more. Needs no scratch.
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/four.h"
#include "engine/kernels/dsp/intrinsics.h"
#include "engine/kernels/requantize.h"
#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace dsp {
namespace {

__attribute__((noinline)) const int8_t* RowOf(const WindowRows& rows, int32_t tap) {
  return rows.Row(tap, 0);
}

// Pixels of four taps that all lie inside the input.
__attribute__((noinline)) void PoolFour(const int8_t* upper, const int8_t* lower, int32_t channels,
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
  const Window& window = params.window;
  const WindowRows input(rows, node, window, row);
  const int32_t width = rows.source(node, 0).width;
  const auto channels = static_cast<int32_t>(node.channels);
  const Range inside =
      WindowsInside(node.width, width, window.width, window.stride_x, 1, window.left);
  const bool is_four =
      window.width == 2 && window.height == 2 && input.taps().end - input.taps().begin == 2;
  int8_t* to = output;
  for (int32_t x = 0; x < node.width; ++x, to += channels) {
    int32_t column = x * window.stride_x - window.left;
    if (is_four && x == inside.begin && inside.end > x) {
      const int32_t count = inside.end - x;
      PoolFour(RowOf(input, 0) + column * channels, RowOf(input, 1) + column * channels, channels,
               window.stride_x * channels, count, to);
      x = inside.end - 1;
      to += (count - 1) * channels;
      continue;
    }
    const Range columns = TapsInside(column, window.width, 1, width);
    column += columns.begin;
    ForEachFour(channels, [&](int32_t c) {
      uint32_t largest = 0x80808080u;
      for (int32_t tap_y = input.taps().begin; tap_y < input.taps().end; ++tap_y) {
        const int8_t* from = RowOf(input, tap_y) + column * channels + c;
        for (int32_t tap = columns.begin; tap < columns.end; ++tap, from += channels) {
          largest = LargerBytes(largest, LoadWord(from));
        }
      }
      StoreWord(to + c, largest);
    });
  }
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
