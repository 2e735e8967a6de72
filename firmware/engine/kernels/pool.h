// What poolings share: the windows of a row, one for each of its pixels.
#ifndef TINYSEG_ENGINE_KERNELS_POOL_H_
#define TINYSEG_ENGINE_KERNELS_POOL_H_

#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {

// What the input has under a pixel's window.
struct PoolWindow {
  const WindowRows& input;
  int32_t first;    // Byte of its rows where the window begins.
  int32_t columns;  // That it has inside the input.
  int32_t channels;

  // Places inside the input.
  int32_t count() const { return (input.taps().end - input.taps().begin) * columns; }

  // Calls `function` with channel `channel` of each place inside the input.
  template <class Function>
  void ForEach(int32_t channel, Function function) const {
    for (int32_t tap_y = input.taps().begin; tap_y < input.taps().end; ++tap_y) {
      const int8_t* from = input.Row(tap_y, 0) + first + channel;
      for (int32_t left = columns; left > 0; --left, from += channels) function(from);
    }
  }
};

// The windows of a row.
class Pool {
 public:
  Pool(const Rows& rows, const Node& node, uint32_t row)
      : window_(rows.params<PoolParams>(node).window),
        input_(rows, node, window_, row),
        width_(rows.source(node, 0).width),
        pixels_(node.width),
        channels_(static_cast<int32_t>(node.channels)) {}

  const WindowRows& input() const { return input_; }

  // Byte of the input's rows where the window of a pixel begins, were it inside.
  int32_t First(int32_t x) const { return (x * window_.stride_x - window_.left) * channels_; }

  // Pixels whose windows are whole, and of 2x2 places.
  Range Fours() const {
    const bool is_four =
        window_.width == 2 && window_.height == 2 && input_.taps().end - input_.taps().begin == 2;
    if (!is_four) return {0, 0};
    return WindowsInside(pixels_, width_, window_.width, window_.stride_x, 1, window_.left);
  }

  // Calls `pixel(window, to)` with the window of each pixel but for those that are `done`, and
  // where the pixel goes.
  template <class Pixel>
  void ForEach(const Range& done, int8_t* output, Pixel pixel) const {
    for (int32_t x = done.begin == 0 ? done.end : 0; x < pixels_;
         x = x + 1 == done.begin ? done.end : x + 1) {
      const int32_t column = x * window_.stride_x - window_.left;
      const Range taps = TapsInside(column, window_.width, 1, width_);
      pixel(PoolWindow{input_, (column + taps.begin) * channels_, taps.end - taps.begin, channels_},
            output + x * channels_);
    }
  }

 private:
  const Window& window_;
  const WindowRows input_;
  const int32_t width_;
  const int32_t pixels_;
  const int32_t channels_;
};

// A sum divided, ties away from zero.
inline int8_t MeanOf(int32_t sum, int32_t count) {
  return static_cast<int8_t>((sum + (sum > 0 ? count / 2 : -(count / 2))) / count);
}

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_POOL_H_
