// DEPTHWISE_CONV_2D of up to nine taps and as many channels out as in. Scratch: the window's rows.
#if defined(__ARM_FEATURE_MVE)
#include "engine/kernels/mve/depthwise.h"

#include "engine/kernels/mve/columns.h"
#include "engine/kernels/mve/mve.h"

extern "C" {
void TinysegDepthwise54(const tinyseg::engine::mve::DepthwiseRun*);
void TinysegDepthwise333(const tinyseg::engine::mve::DepthwiseRun*);
void TinysegDepthwise3222(const tinyseg::engine::mve::DepthwiseRun*);
void TinysegDepthwise22221(const tinyseg::engine::mve::DepthwiseRun*);
void TinysegDepthwiseAny333(const tinyseg::engine::mve::DepthwiseRun*);
void TinysegDepthwiseAny3222(const tinyseg::engine::mve::DepthwiseRun*);
void TinysegDepthwiseAny22221(const tinyseg::engine::mve::DepthwiseRun*);
void TinysegDepthwiseAny22(const tinyseg::engine::mve::DepthwiseRun*);
}

namespace tinyseg {
namespace engine {
namespace mve {
namespace {

// As DepthwiseKind.
void (*const kRuns[])(const DepthwiseRun*) = {TinysegDepthwise54,       TinysegDepthwise333,
                                              TinysegDepthwise3222,     TinysegDepthwise22221,
                                              TinysegDepthwiseAny333,   TinysegDepthwiseAny3222,
                                              TinysegDepthwiseAny22221, TinysegDepthwiseAny22};

// Copies the rows under the window; the columns of each phase of the stride lie together, so that
// neighbours of the output do.
void CopyRows(const Rows& rows, const Node& node, const DepthwiseParams& params, int32_t origin) {
  const Window& window = params.window;
  const auto channels = static_cast<int32_t>(node.channels);
  const int32_t columns = node.width + (window.width - 1) * window.dilation_x / window.stride_x;
  auto* to = reinterpret_cast<int8_t*>(rows.scratch());
  for (int32_t tap = 0; tap < window.height; ++tap) {
    for (int32_t phase = 0; phase < window.stride_x; ++phase, to += columns * channels) {
      CopyColumns(rows, node, origin + tap * window.dilation_y,
                  {phase - window.left, window.stride_x, columns, channels, params.input_zero}, to);
    }
  }
}

}  // namespace

void Depthwise(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<DepthwiseParams>(node);
  const Window& window = params.window;
  const int32_t origin = static_cast<int32_t>(row) * window.stride_y - window.top;
  const auto channels = static_cast<int32_t>(node.channels);
  const int8_t* under[kDepthwiseTaps];
  if (params.copied) {
    CopyRows(rows, node, params, origin);
    under[0] = reinterpret_cast<int8_t*>(rows.scratch());
  } else {
    for (int32_t tap = 0; tap < window.height; ++tap) {
      under[tap] = rows.input(node, 0, static_cast<uint32_t>(origin + tap * window.dilation_y));
    }
  }
  DepthwiseRun run;
  for (int32_t i = 0; i < kDepthwiseTaps; ++i) {
    run.taps[i] = under[params.taps[i].row] + params.taps[i].offset;
  }
  const auto bytes = static_cast<int32_t>(node.row_bytes);
  const auto function = kRuns[static_cast<int32_t>(params.kind)];
  run.chunk = rows.at<DepthwiseChunk>(params.chunks);
  run.output = output;
  run.output_zero = params.output_zero;
  run.vectors = node.width / params.pixels * params.vectors;
  function(&run);
  if (node.width % params.pixels != 0) {
    // The last vector ends with the row.
    const int32_t last = bytes - params.pixels * channels;
    for (const int8_t*& tap : run.taps) tap += last;
    run.output += last;
    run.vectors = 1;
    function(&run);
  }
  Clamp(output, bytes, params.least, params.most);
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
