// Where windows lie on rows and columns.
#ifndef TINYSEG_ENGINE_KERNELS_WINDOW_H_
#define TINYSEG_ENGINE_KERNELS_WINDOW_H_

#include "engine/kernel.h"
#include "engine/params.h"

namespace tinyseg {
namespace engine {

// Whole numbers from `begin` to before `end`.
struct Range {
  int32_t begin, end;
};

// Returns which of a window's `taps` lie inside `size` places if the first lies at `origin`.
inline Range TapsInside(int32_t origin, int32_t taps, int32_t dilation, int32_t size) {
  if (dilation == 1) {
    const int32_t begin = origin < 0 ? -origin : 0;
    const int32_t end = size - origin < taps ? size - origin : taps;
    if (begin >= end) return {0, 0};
    return {begin, end};
  }
  int32_t begin = 0;
  while (begin < taps && origin + begin * dilation < 0) ++begin;
  int32_t end = begin;
  while (end < taps && origin + end * dilation < size) ++end;
  return {begin, end};
}

// Returns which of `count` windows lie wholly inside `size` places.
inline Range WindowsInside(int32_t count, int32_t size, int32_t taps, int32_t stride,
                           int32_t dilation, int32_t padding) {
  const int32_t begin = padding > 0 ? (padding + stride - 1) / stride : 0;
  const int32_t last = size - 1 - (taps - 1) * dilation + padding;
  int32_t end = last < 0 ? 0 : last / stride + 1;
  if (end > count) end = count;
  if (begin >= end) return {0, 0};
  return {begin, end};
}

// Pointers to rows of a node's sources under a window's taps; few enough are kept.
class WindowRows {
 public:
  __attribute__((noinline))
  WindowRows(const Rows& rows, const Node& node, const Window& window, uint32_t row)
      : rows_(rows),
        node_(node),
        origin_(static_cast<int32_t>(row) * window.stride_y - window.top),
        dilation_(window.dilation_y),
        taps_(TapsInside(origin_, window.height, dilation_, rows.source(node, 0).rows)) {
    for (int32_t tap = taps_.begin; tap < taps_.end; ++tap) {
      for (uint32_t link = 0; link < node.link_count; ++link) {
        const uint32_t index = Index(tap, link);
        if (index < kKept) kept_[index] = Find(tap, link);
      }
    }
  }

  // Which of the window's rows the sources have.
  const Range& taps() const { return taps_; }

  const int8_t* Row(int32_t tap, uint32_t link) const {
    const uint32_t index = Index(tap, link);
    return index < kKept ? kept_[index] : Find(tap, link);
  }

 private:
  static constexpr uint32_t kKept = 12;

  uint32_t Index(int32_t tap, uint32_t link) const {
    return static_cast<uint32_t>(tap - taps_.begin) * node_.link_count + link;
  }
  const int8_t* Find(int32_t tap, uint32_t link) const {
    return rows_.input(node_, link, static_cast<uint32_t>(origin_ + tap * dilation_));
  }

  const Rows& rows_;
  const Node& node_;
  const int32_t origin_, dilation_;
  const Range taps_;
  const int8_t* kept_[kKept];
};

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_WINDOW_H_
