// A row of a convolution as a matrix product: windows of four pixels, widened to 16 bits, times the
// weights of two channels.
#ifndef TINYSEG_ENGINE_KERNELS_DSP_GEMM_H_
#define TINYSEG_ENGINE_KERNELS_DSP_GEMM_H_

#include <cstdint>

#include "engine/kernels/dsp/loops.h"

namespace tinyseg {
namespace engine {
namespace dsp {

// Bytes of an input's row that lie together under a window.
struct Run {
  const int8_t* row;  // Null where the window lies beyond the input's rows.
  int32_t channels;   // Of that row.
  int32_t columns;    // Under the window.
  int32_t first;      // Column of the row under the first pixel's window.
};

// Gives weights of pairs of channels that are packed.
struct Unpacker {
  // Returns the ChannelPair of channels from `first` on, with its weights, until the next call.
  const int8_t* (*unpack)(const Unpacker& self, int32_t pair, int32_t first);
};

// Pixels of a row.
struct GemmRow {
  const GemmParams& params;
  int32_t width;     // Of the input.
  int32_t stride;    // Columns of the input between neighbouring pixels.
  int32_t pixels;    // Four at least.
  int32_t channels;  // Of one, pixels lie together.
  int8_t* output;    // Where the first pixel goes.
  int32_t step;      // Bytes between pixels there.
  int32_t pairs;     // Of depths.
  const int8_t* weights;
  uint8_t* scratch;
  const Unpacker* unpacker;  // Null if weights are plain.
};

class Gemm {
 public:
  static constexpr int32_t kMostRuns = 32;

  explicit Gemm(const GemmRow& row);

  // Runs come in the order of the weights, kMostRuns at most.
  void Add(const Run& run) { runs_[run_count_++] = run; }

  void Compute() const;

 private:
  int32_t PixelOf(int32_t tile) const;
  void GatherRun(const Run& run, int32_t tile, int32_t count, Pair* to) const;
  void GatherWindows(const Run& run, int32_t pixel, Pair* to) const;
  void CopyColumns(const Run& run, int32_t column, int32_t columns) const;
  void Fill(int32_t pairs, int32_t count, Pair* to) const;
  void Multiply(int32_t tile, int32_t count) const;
  void MultiplyOne(tinyseg_dsp_product product, int32_t count) const;
  void MultiplyPacked(tinyseg_dsp_product product) const;

  const GemmRow& row_;
  const int32_t tiles_;  // The last one begins earlier rather than being smaller.
  Pair* const panel_;
  Pair* const activations_;  // Of a block of tiles.
  int8_t* const windows_;    // What lies under those of four pixels at a row's end.
  int32_t run_count_ = 0;
  Run runs_[kMostRuns];
};

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_DSP_GEMM_H_
