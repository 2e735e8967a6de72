// Rows under a window, with rows of zero points for those beyond the input.
#ifndef TINYSEG_ENGINE_KERNELS_DSP_ZERO_ROWS_H_
#define TINYSEG_ENGINE_KERNELS_DSP_ZERO_ROWS_H_

#include <cstring>

#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace dsp {

class ZeroRows {
 public:
  // Scratch holds as many bytes as the longest row.
  ZeroRows(const Rows& rows, const Node& node, const Window& window, uint32_t row, int32_t zero)
      : rows_(rows, node, window, row), zeros_(reinterpret_cast<int8_t*>(rows.scratch())) {
    if (rows_.taps().end - rows_.taps().begin == window.height) return;
    uint32_t bytes = 0;
    for (uint32_t link = 0; link < node.link_count; ++link) {
      const uint32_t own = rows.source(node, link).row_bytes;
      bytes = own > bytes ? own : bytes;
    }
    std::memset(zeros_, zero, bytes);
  }

  const int8_t* Row(int32_t tap, uint32_t link) const {
    const Range& taps = rows_.taps();
    return tap >= taps.begin && tap < taps.end ? rows_.Row(tap, link) : zeros_;
  }

 private:
  const WindowRows rows_;
  int8_t* const zeros_;
};

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_DSP_ZERO_ROWS_H_
