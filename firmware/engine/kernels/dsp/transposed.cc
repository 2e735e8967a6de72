// TRANSPOSE_CONV whose phases have four pixels a row and more.
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/gemm.h"
#include "engine/kernels/requantize.h"

namespace tinyseg {
namespace engine {
namespace dsp {
namespace {

// Taps of a window that pixels of a phase take.
int32_t TapsOf(int32_t phase, int32_t size, int32_t stride) {
  return (size - phase + stride - 1) / stride;
}

}  // namespace

void Transposed(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<TransposedParams>(node);
  const Window& window = params.window;
  const Node& source = rows.source(node, 0);
  const auto channels = static_cast<int32_t>(node.channels);
  const int32_t stride = window.stride_x;
  const int32_t y = static_cast<int32_t>(row) + window.top;
  const int32_t phase_y = y % window.stride_y;
  const int32_t taps_y = TapsOf(phase_y, window.height, window.stride_y);
  for (int32_t phase = 0; phase < stride; ++phase) {
    const int32_t taps = TapsOf(phase, window.width, stride);
    // The first pixel of the phase, and the column of the input that its first tap meets.
    const int32_t first = (phase - window.left % stride + stride) % stride;
    const int32_t column = (first + window.left) / stride;
    const TransposedPhase& part = params.phases[phase_y * stride + phase];
    const GemmRow task = {params.gemm,
                          source.width,
                          1,
                          (node.width - first + stride - 1) / stride,
                          channels,
                          output + first * channels,
                          stride * channels,
                          part.pairs,
                          rows.at<int8_t>(part.weights),
                          rows.scratch(),
                          nullptr};
    Gemm gemm(task);
    for (int32_t tap = 0; tap < taps_y; ++tap) {
      // The last tap meets the leftmost column.
      const int32_t place = y / window.stride_y - tap;
      const bool is_inside = place >= 0 && place < source.rows;
      gemm.Add({is_inside ? rows.input(node, 0, static_cast<uint32_t>(place)) : nullptr,
                static_cast<int32_t>(source.channels), taps, column - taps + 1});
    }
    gemm.Compute();
  }
  ClampRow(output, static_cast<uint32_t>(node.width) * node.channels, params.gemm.least,
           params.gemm.most);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
