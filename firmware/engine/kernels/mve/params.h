// Parameters of kernels for Helium, as tinyseg/engine/cores/mve packs them.
#ifndef TINYSEG_ENGINE_KERNELS_MVE_PARAMS_H_
#define TINYSEG_ENGINE_KERNELS_MVE_PARAMS_H_

#include "engine/params.h"

namespace tinyseg {
namespace engine {
namespace mve {

// Four output channels. The last four of a layer may share some with those before; a layer of less
// than four has some that are of no use.
struct GemmChannels {
  int32_t biases[8];  // Each twice: minus the input's zero point times the sum of the weights.
  int32_t multipliers[4];
  int32_t shifts[4];  // From -31 to 0.
  int32_t signs[4];  // What leaves of a sum only its sign, as shift: -31, but 32 with a shift of 0.
};

// Weights of a product: for each group of four channels, for each 16 bytes of a pixel, those bytes'
// weights of each channel; zeros where a pixel is shorter.
struct GemmParams {
  uint32_t weights;
  uint32_t channels;  // GemmChannels of each group.
  int32_t steps;      // Of 16 bytes.
};

// kMveConvolution: pixels of the product are windows, [column][row][channel]. Where they lie in one
// piece in the only source (one row, no padding), nothing is copied. Else scratch has columns
// [row][channel], (width - 1) * stride_x + the window's width of them.
struct ConvolutionParams {
  Window window;  // dilation_x is 1.
  int32_t input_zero, output_zero, least, most;
  int32_t copied;
  GemmParams product;
};

// kMvePackedConvolution: as above, but the product's weights are indices of tables. For each 16
// weights they have `bits` times 16 bits: the lowest bit of each index first.
struct PackedConvolutionParams {
  ConvolutionParams convolution;
  uint32_t tables;     // int8, one for each output channel or one for all.
  int32_t bits;        // Of an index.
  int32_t table_step;  // Between tables; 0 if there is one.
  int32_t rest;        // Bytes of a pixel in its last 16.
};

// kMveTransposed: pixels of each product are the columns of the input that a phase meets, as far as
// they have weights: [column][row][channel], the upper and left one first. Scratch has the input's
// columns [row][channel], and on both sides ceil(window's width / stride_x) - 1 of padding.
struct TransposedParams {
  Window window;  // Dilations are 1.
  int32_t input_zero, output_zero, least, most;
  GemmParams products[1];  // [stride_y][stride_x], phases as those of the portable kernel.
};

// kMveAdd: tensors of one shape. The first's factor is a half: times `scale`, and `bias` added, it
// is the first summand. The second, less its zero point and shifted left, is multiplied and shifted
// right; it counts `sign` times.
struct AddParams {
  int32_t scale, bias;
  int32_t second_zero, left_shift;
  Factor second;
  int32_t sign;
  Factor factor;  // Of the sum. This shift and the second's are from -31 to -1.
  int32_t output_zero, least, most;
};

constexpr int32_t kVector = 16;  // Bytes.
constexpr int32_t kMostTaps = 50;

// Some of the channels of four: they and every fourth on, of 16.
struct DepthwiseSums {
  int32_t biases[4];  // As above.
  int32_t multipliers[4];
  int32_t shifts[4];  // From -31 to -1.
};

// Sixteen bytes of an output row, behind their int8_t weights[taps][16].
struct DepthwiseChunk {
  DepthwiseSums sums[4];  // Of channels 0, 2, 1, 3.
  uint32_t mask;          // Bits of the bytes that are stored.
  int32_t advance;        // How many they are.
  int32_t next;           // Bytes to the weights of the next vector; the last one's is the first.
};

// Where bytes that meet a tap of a row's first output lie: from a row under the window, below 0 in
// the padding, or from scratch.
struct DepthwiseTap {
  int32_t row;
  int32_t offset;
};

// kMveDepthwise, kMveDepthwiseAny and kMveDepthwiseMany. Scratch has for each of the window's rows,
// for each phase of stride_x, the columns that outputs meet. A window of stride 1 on one source is
// not copied where the source has all of it, or if a vector is no more than a pixel; scratch then
// has what it meets of padding: a row, a pixel, or nothing.
struct DepthwiseParams {
  Window window;
  int32_t input_zero, output_zero, least, most;
  int32_t copied;
  int32_t kind;     // How taps are added: which of the kernel's functions of depthwise.S.
  int32_t pixels;   // Of a vector; a row has as many at least.
  int32_t vectors;  // Of a pixel.
  int32_t count;    // Of taps: nine, of kMveDepthwiseMany an even number.
  uint32_t taps;    // DepthwiseTap[count], in the order of the weights' taps.
  uint32_t chunks;  // Weights and DepthwiseChunk of each vector of a pixel, or one.
};

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_MVE_PARAMS_H_
