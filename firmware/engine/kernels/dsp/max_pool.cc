// MAX_POOL_2D of four channels and more. Needs no scratch.
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/intrinsics.h"
#include "engine/kernels/requantize.h"
#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace dsp {
namespace {

// Four channels of a pixel, of the taps that lie inside the input.
struct Taps {
  const WindowRows& rows;
  int32_t columns;
  int32_t step;  // Between columns.

  uint32_t Largest(int32_t offset) const {
    uint32_t largest = 0x80808080u;
    for (int32_t tap_y = rows.taps().begin; tap_y < rows.taps().end; ++tap_y) {
      const int8_t* from = rows.Row(tap_y, 0) + offset;
      for (int32_t tap_x = columns; tap_x > 0; --tap_x, from += step) {
        largest = LargerBytes(largest, LoadWord(from));
      }
    }
    return largest;
  }
};

// A pixel of four taps that all lie inside the input.
void PoolFour(const int8_t* upper, const int8_t* lower, int32_t channels, int8_t* to) {
  for (int32_t c = 0; c < channels; c += 4) {
    // The last four channels may overlap those before.
    if (c + 4 > channels) c = channels - 4;
    const uint32_t first = LargerBytes(LoadWord(upper + c), LoadWord(upper + channels + c));
    const uint32_t second = LargerBytes(LoadWord(lower + c), LoadWord(lower + channels + c));
    StoreWord(to + c, LargerBytes(first, second));
  }
}

}  // namespace

void MaxPool(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PoolParams>(node);
  const Window& window = params.window;
  const WindowRows input(rows, node, window, row);
  const int32_t width = rows.source(node, 0).width;
  const auto channels = static_cast<int32_t>(node.channels);
  const bool is_four =
      window.width == 2 && input.taps().begin == 0 && input.taps().end == 2 && window.height == 2;
  int8_t* to = output;
  for (int32_t x = 0; x < node.width; ++x, to += channels) {
    const int32_t column = x * window.stride_x - window.left;
    const Range columns = TapsInside(column, window.width, 1, width);
    const int32_t offset = (column + columns.begin) * channels;
    if (is_four && columns.end - columns.begin == 2) {
      PoolFour(input.Row(0, 0) + offset, input.Row(1, 0) + offset, channels, to);
      continue;
    }
    const Taps taps = {input, columns.end - columns.begin, channels};
    for (int32_t c = 0; c < channels; c += 4) {
      if (c + 4 > channels) c = channels - 4;
      StoreWord(to + c, taps.Largest(offset + c));
    }
  }
  ClampRow(output, node.width * node.channels, params.least, params.most);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
