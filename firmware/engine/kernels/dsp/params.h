// Parameters of kernels for cores with the DSP extension, as tinyseg/engine/cores/dsp packs them:
// 32-bit words only.
#ifndef TINYSEG_ENGINE_KERNELS_DSP_PARAMS_H_
#define TINYSEG_ENGINE_KERNELS_DSP_PARAMS_H_

#include <cstdint>

#include "engine/params.h"

namespace tinyseg {
namespace engine {
namespace dsp {

// How a sum of products, doubled, becomes a byte: multiplied, rounded to its upper word, `rounding`
// added, shifted right by `shift`, saturated. `rounding` holds the output's zero point.
struct Finish {
  int32_t multiplier;
  int32_t rounding;
  int32_t shift;
};

// Of two channels; their weights follow: for each pair of depths four bytes, first and second depth
// by turns of both channels.
struct ChannelPair {
  int32_t biases[2];  // Doubled.
  Finish finishes[2];
};

// kDspPixelTable: int8 [256][channels], the entry of value v is v + 128. Channels are a multiple
// of 8.
struct PixelTableParams {
  uint32_t table;
};

// kDspDot: pairs of weights, doubled, of bytes 0 and 2 of four channels, then 1 and 3.
struct DotParams {
  int32_t bias;  // Doubled.
  Finish finish;
  int32_t least, most;
  uint32_t weights;
};

// What convolutions as matrix products share.
struct GemmParams {
  int32_t input_zero, least, most;
  int32_t is_signed;        // Whether sums below zero are rounded other than those above.
  int32_t block;            // Tiles that are computed with a pair's weights once unpacked.
  int32_t doubles_weights;  // Else activations are doubled.
};

// kDspConvolution: several sources are one input, concatenated along channels.
struct ConvolutionParams {
  Window window;
  GemmParams gemm;
  int32_t pairs;     // Of depths.
  uint32_t weights;  // ChannelPair, each with its weights.
};

// Indices of tables of values, in 1 to 7 bits, the least significant first: in the order of the
// weights behind a ChannelPair. Those of each pair of channels begin with a byte of their own.
struct PackedPairs {
  uint32_t indices;
  uint32_t tables;     // int8, one for each channel or one for all.
  int32_t bits;        // Of an index.
  int32_t pair_bytes;  // Between the indices of pairs of channels.
  int32_t table_step;  // Between tables; 0 if there is one.
};

// kDspPackedConvolution: as above, but that ChannelPair follow each other. Scratch begins with room
// for one and its weights.
struct PackedConvolutionParams {
  ConvolutionParams convolution;
  PackedPairs packed;
};

// kDspNarrow: as kDspConvolution.
struct NarrowParams {
  Window window;
  int32_t input_zero, least, most;
  int32_t pairs;
  uint32_t weights;
};

// kDspTransposed: as the portable kernel, with windows of each phase backwards.
struct TransposedPhase {
  int32_t pairs;
  uint32_t weights;
};
struct TransposedParams {
  Window window;
  GemmParams gemm;
  TransposedPhase phases[1];  // [stride_y][stride_x].
};

// kDspDepthwise...: several sources are one input, concatenated along channels.
struct DepthwiseParams {
  Window window;
  int32_t input_zero, least, most;
  int32_t multiplier;  // Output channels for each channel of the input.
  uint32_t channels;   // Of each output channel a Depthwise...Channel.
};

// Weights are doubled, and so is the bias.
struct Depthwise3x3Channel {
  int32_t weights[5];  // Pairs: upper and middle row of three columns; lower row.
  int32_t multiplier;
  int32_t rounding;
  int32_t bias;
  int32_t shift;
};

struct Depthwise1x1Channel {
  int32_t weight;
  int32_t bias;
  Finish finish;
};

struct Depthwise2x2Channel {
  int32_t weights[2];  // Pairs of two columns.
  int32_t multiplier;
  int32_t rounding;
  int32_t bias;
  int32_t shift;
};

// Pairs of weights follow, of two rows of the window at a time, from left to right; the last row
// may be alone.
struct DepthwiseChannel {
  int32_t bias;
  Finish finish;
};

// kDspMultiply: both of a shape, or the first with one channel.
struct MultiplyParams {
  int32_t zeros[2];
  int32_t is_by_pixel;
  Finish finish;
  int32_t least, most;
};

// kDspGate: the first has one channel, and gates the second. Products are scaled so that the upper
// half of a word is the output, 128 more; `rounding` is added to them.
struct GateParams {
  int32_t gate_zero, zero;
  int32_t bits;  // That gates are shifted left.
  int32_t multiplier;
  int32_t rounding;
  int32_t has_tables;
  uint32_t tables;  // int8 [channels][256]: of each channel's outputs.
};

// kDspAdd: the first's factor is a power of two, and so only `scale` and `bias`; the second, times
// `inner_scale`, is finished to a value that counts `sign` times. Their sum is doubled.
struct AddParams {
  int32_t scale, bias;
  int32_t inner_scale, inner_bias;
  Finish inner;
  int32_t sign;
  Finish finish;
  int32_t least, most;
};

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_DSP_PARAMS_H_
