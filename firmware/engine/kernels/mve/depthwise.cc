// DEPTHWISE_CONV_2D of as many channels out as in. Scratch: the window's rows, or a pixel of
// padding.
#if defined(__ARM_FEATURE_MVE)
#include "engine/kernels/mve/depthwise.h"

#include "engine/kernels/mve/columns.h"
#include "engine/kernels/mve/mve.h"
#include "engine/kernels/window.h"

extern "C" {
void TinysegDepthwise54(const tinyseg::engine::mve::DepthwiseRun*);
void TinysegDepthwise333(const tinyseg::engine::mve::DepthwiseRun*);
void TinysegDepthwise3222(const tinyseg::engine::mve::DepthwiseRun*);
void TinysegDepthwise22221(const tinyseg::engine::mve::DepthwiseRun*);
void TinysegDepthwiseAny333(const tinyseg::engine::mve::DepthwiseRun*);
void TinysegDepthwiseAny3222(const tinyseg::engine::mve::DepthwiseRun*);
void TinysegDepthwiseAny22221(const tinyseg::engine::mve::DepthwiseRun*);
void TinysegDepthwiseAny22(const tinyseg::engine::mve::DepthwiseRun*);
void TinysegDepthwiseMany(const tinyseg::engine::mve::DepthwiseRun*);
}

namespace tinyseg {
namespace engine {
namespace mve {
namespace {

// Of a window whose rows are not copied.
constexpr int32_t kMostRows = 7;

using Loop = void (*)(const DepthwiseRun*);

// Copies the rows under the window; the columns of each phase of the stride lie together, so that
// neighbours of the output do.
void CopyRows(const Rows& rows, const Node& node, const DepthwiseParams& params, int32_t origin) {
  const Window& window = params.window;
  const auto channels = static_cast<int32_t>(node.channels);
  const int32_t count = node.width + (window.width - 1) * window.dilation_x / window.stride_x;
  const int32_t width = rows.source(node, 0).width;
  auto* to = reinterpret_cast<int8_t*>(rows.scratch());
  for (int32_t phase = 0; phase < window.stride_x; ++phase, to += count * channels) {
    const Columns columns(width, phase - window.left, window.stride_x, count, channels,
                          params.input_zero);
    for (int32_t tap = 0; tap < window.height; ++tap) {
      CopyColumns(rows, node, origin + tap * window.dilation_y, columns,
                  to + tap * window.stride_x * count * channels);
    }
  }
}

// A row of the output, and what lies under the rows of its window.
class DepthwiseRow {
 public:
  DepthwiseRow(const Rows& rows, const Node& node, const DepthwiseParams& params, Loop loop,
               int8_t* output)
      : params_(params),
        places_(rows.at<DepthwiseTap>(params.taps)),
        chunks_(rows.at<int8_t>(params.chunks)),
        channels_(static_cast<int32_t>(node.channels)),
        loop_(loop),
        output_(output) {}

  // Pixels that have all their taps.
  __attribute__((noinline)) void ComputeInside(const int8_t* const* under, int32_t first,
                                               int32_t count) {
    const int32_t at = first * channels_;
    const DepthwiseTap* place = places_;
    const int8_t** tap = taps_;
    for (int32_t i = params_.count; i > 0; --i, ++place) {
      *tap++ = under[place->row] + place->offset + at;
    }
    const int32_t pixels = params_.pixels;
    const int32_t vectors = count / pixels;
    Run(at, vectors * params_.vectors);
    if (vectors * pixels == count) return;
    // The last vector ends with the row.
    const int32_t rest = (count - pixels) * channels_;
    for (int32_t i = 0; i < params_.count; ++i) taps_[i] += rest;
    Run(at + rest, 1);
  }

  // One pixel, some of whose taps lie beyond the `bytes` of a row and meet padding.
  __attribute__((noinline)) void ComputeBorder(const int8_t* const* under, uint32_t bytes,
                                               const int8_t* padding, int32_t x) {
    const int32_t at = x * channels_;
    const DepthwiseTap* place = places_;
    const int8_t** tap = taps_;
    for (int32_t i = params_.count; i > 0; --i, ++place) {
      const int32_t offset = place->offset + at;
      *tap++ = static_cast<uint32_t>(offset) < bytes ? under[place->row] + offset : padding;
    }
    Run(at, params_.vectors);
  }

 private:
  void Run(int32_t at, int32_t vectors) {
    const DepthwiseRun run = {taps_,        params_.count / 2,   chunks_,
                              output_ + at, params_.output_zero, vectors};
    loop_(&run);
  }

  const DepthwiseParams& params_;
  const DepthwiseTap* const places_;
  const int8_t* const chunks_;
  const int32_t channels_;
  const Loop loop_;
  int8_t* const output_;
  const int8_t* taps_[kMostTaps];
};

// Reads rows where they lie.
void ComputeInPlace(const Rows& rows, const Node& node, const DepthwiseParams& params,
                    int32_t origin, DepthwiseRow* to) {
  const Window& window = params.window;
  const Node& source = rows.source(node, 0);
  auto* const padding = reinterpret_cast<int8_t*>(rows.scratch());
  const Range inside =
      WindowsInside(node.width, source.width, window.width, 1, window.dilation_x, window.left);
  int32_t filled =
      inside.end - inside.begin == node.width ? 0 : static_cast<int32_t>(node.channels);
  const int8_t* under[kMostRows];
  for (int32_t tap = 0; tap < window.height; ++tap) {
    const auto row = static_cast<uint32_t>(origin + tap * window.dilation_y);
    const bool is_there = row < source.rows;
    under[tap] = is_there ? rows.input(node, 0, row) : padding;
    if (!is_there) filled = static_cast<int32_t>(source.row_bytes);
  }
  Fill(padding, params.input_zero, filled);
  if (inside.begin < inside.end) {
    to->ComputeInside(under, inside.begin, inside.end - inside.begin);
  }
  for (int32_t x = 0; x < node.width; ++x) {
    if (x == inside.begin) x = inside.end;
    if (x < node.width) to->ComputeBorder(under, source.row_bytes, padding, x);
  }
}

void Compute(const Rows& rows, const Node& node, const DepthwiseParams& params, Loop loop,
             uint32_t row, int8_t* output) {
  const int32_t origin = static_cast<int32_t>(row) * params.window.stride_y - params.window.top;
  DepthwiseRow task(rows, node, params, loop, output);
  if (params.copied) {
    CopyRows(rows, node, params, origin);
    const int8_t* const copies = reinterpret_cast<int8_t*>(rows.scratch());
    task.ComputeInside(&copies, 0, node.width);
  } else {
    ComputeInPlace(rows, node, params, origin, &task);
  }
  Clamp(output, static_cast<int32_t>(node.row_bytes), params.least, params.most);
}

}  // namespace

void Depthwise(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  static constexpr Loop kLoops[] = {TinysegDepthwise54, TinysegDepthwise333, TinysegDepthwise3222,
                                    TinysegDepthwise22221};
  const auto& params = rows.params<DepthwiseParams>(node);
  Compute(rows, node, params, kLoops[params.kind], row, output);
}

void DepthwiseAny(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  static constexpr Loop kLoops[] = {TinysegDepthwiseAny22, TinysegDepthwiseAny333,
                                    TinysegDepthwiseAny3222, TinysegDepthwiseAny22221};
  const auto& params = rows.params<DepthwiseParams>(node);
  Compute(rows, node, params, kLoops[params.kind], row, output);
}

void DepthwiseMany(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<DepthwiseParams>(node);
  Compute(rows, node, params, TinysegDepthwiseMany, row, output);
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
