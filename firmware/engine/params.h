// Parameters of kernels, as tinyseg/engine/blob.py packs them: 32-bit words only.
//
// Offsets are those of the program. Weights lie as TensorFlow Lite stores them.
#ifndef TINYSEG_ENGINE_PARAMS_H_
#define TINYSEG_ENGINE_PARAMS_H_

#include <cstdint>

namespace tinyseg {
namespace engine {

// real factor = multiplier * 2^(shift - 31), rounded twice as TFLite's
// MultiplyByQuantizedMultiplier does; shift from -31 to 30.
struct Factor {
  int32_t multiplier;
  int32_t shift;
};

// What one output channel adds, and its factor.
struct Channel {
  int32_t bias;  // Minus the input's zero point times the sum of all of the channel's weights.
  Factor factor;
};

// The window of a convolution or pooling. The input's width, rows, and channels are the source's.
struct Window {
  int32_t height, width;
  int32_t stride_y, stride_x;
  int32_t dilation_y, dilation_x;
  int32_t top, left;  // Padding before the first row and column.
};

// kConvolution: several sources are one input, concatenated along channels.
struct ConvolutionParams {
  Window window;
  int32_t input_zero, output_zero, least, most;  // The last two clamp the output.
  uint32_t weights;                              // int8 [channels out][height][width][channels in].
  uint32_t channels;                             // Channel[channels out].
};

// Weights of few values: indices of a table of values, in 1 to 7 bits, the least significant first.
// Each output channel's begin with a byte of their own. They are unpacked for two channels at a
// time, which needs scratch for two filters.
struct PackedWeights {
  uint32_t indices;      // Of [channels out][height][width][channels in].
  uint32_t tables;       // int8, one for each output channel or one for all.
  int32_t bits;          // Of an index.
  int32_t filter_bytes;  // Between the indices of channels.
  int32_t table_step;    // Between their tables; 0 if there is one.
};

// kPackedConvolution: as above, its own weights are not in use.
struct PackedConvolutionParams {
  ConvolutionParams convolution;
  PackedWeights weights;
};

// kDepthwise: several sources as above.
struct DepthwiseParams {
  Window window;
  int32_t input_zero, output_zero, least, most;
  int32_t multiplier;  // Output channels for each channel of the input.
  uint32_t weights;    // int8 [height][width][channels out].
  uint32_t channels;   // Channel[channels out].
};

// kTransposed: output row y takes input row i and kernel row k where i * stride_y + k = y + top.
struct TransposedParams {
  Window window;  // Dilations are 1.
  int32_t input_zero, output_zero, least, most;
  uint32_t weights;  // int8 [channels out][height][width][channels in].
  // Channel[stride_y][stride_x][channels out]: of output pixels with (y + top) % stride_y and
  // (x + left) % stride_x. The bias holds the weights that reach such a pixel.
  uint32_t channels;
};

// kPackedTransposed: its own weights are not in use.
struct PackedTransposedParams {
  TransposedParams transposed;
  PackedWeights weights;
};

// kTable: int8 [per_channel ? channels : 1][256], the entry of value v is v + 128.
struct TableParams {
  uint32_t table;
  int32_t per_channel;
};

// An operand of an elementwise operator: element (x, c) of its row is at x * step_x + c * step_c.
// Its row is the one of the link's rule.
struct Operand {
  int32_t step_x, step_c;
  int32_t zero;
  Factor factor;  // Of ADD and SQUARED_DIFFERENCE.
};

// kAdd, kSquaredDifference: TFLite's with left_shift (20 of ADD, 7 of SQUARED_DIFFERENCE); SUB has
// a negative multiplier in its second factor.
// kMultiply, kMinMax: factors of operands are not in use. kMinMax: sign is 1 for MAXIMUM, -1.
struct ElementwiseParams {
  Operand first, second;
  int32_t left_shift;
  Factor factor;  // Of the output.
  int32_t output_zero, least, most;
  int32_t sign;
};

// kMaxPool, kAveragePool: dilations are 1.
struct PoolParams {
  Window window;
  int32_t least, most;
};

// kCopyRows: each source whose rule gives a row for this one copies `width` pixels of `channels`
// channels from (from_x, from_c) to (to_x, to_c); what no source covers is `fill` (`element` bytes
// an element; fill only for 1). With rows of sources that do not exist all is fill.
struct CopyPart {
  int32_t from_x, from_c, to_x, to_c, width, channels;
  int32_t step_x;  // Between pixels of the source, 1 but for strided slices.
};
struct CopyParams {
  int32_t element;
  int32_t fill;
  CopyPart parts[1];  // One for each link.
};

// kResizeNearest: source pixel of each output column, uint16_t [width]; the row is the link's.
struct ResizeNearestParams {
  uint32_t columns;
  int32_t element;
};

// kResizeBilinear: as TFLite's reference for int8, in fixed point of 10 bits.
struct BilinearAxis {
  int32_t lower, upper;  // Source rows or columns.
  int32_t weight;        // Of the upper one, 0 to 1024.
};
struct ResizeBilinearParams {
  uint32_t rows;     // BilinearAxis [rows]
  uint32_t columns;  // BilinearAxis [width]
};

// kReshape has none: bytes of all rows of the source, in rows of the node.

// kTranspose: element of output (y, x, c) is at y * steps[0] + x * steps[1] + c * steps[2] in the
// source, counted in elements over all of its rows. `outer` > 1: y is (y / outer, y % outer) with
// steps[3] for the quotient and steps[0] for the remainder (rank 4).
struct TransposeParams {
  int32_t element;
  int32_t outer;
  int32_t steps[4];
};

// kSoftmax over channels, int8 to int8: as TFLite's reference.
struct SoftmaxParams {
  uint32_t exponentials;  // int32 [256]: exp of -d steps in 0.31 fixed point; 0 where d < diff_min.
};

// kMean: over all rows and columns (over_channels 0: one row of one pixel) or over channels.
struct MeanParams {
  int32_t over_channels;
  int32_t over_rows;  // Else each row has its own result.
  int32_t over_columns;
  int32_t input_zero, output_zero;
  Factor factor;
  int32_t count;  // Elements of each sum: zero point times it is taken off.
};

// kMatrixMultiply: row r of the first is a matrix [width][depth], of the second [depth][channels]
// or, if transposed, [channels][depth].
struct MatrixParams {
  int32_t depth;
  int32_t transposed;
  int32_t first_zero, second_zero, output_zero, least, most;
  Factor factor;
};

// kBinaryConvolution: firmware/ops/binary_conv.h. It needs 4 * words * (height * source's width +
// 2 * height * width) + height * source's row bytes of scratch, words = ceil(channels in / 32).
struct BinaryConvolutionParams {
  Window window;  // Dilations are 1.
  int32_t input_zero, output_zero, least, most;
  uint32_t filter;          // uint32 [channels out][height][width][words].
  uint32_t requantization;  // int32 [channels out][3]: multiplier, shift, bias.
};

// kDepthToSpace, kSpaceToDepth.
struct BlockParams {
  int32_t block;
  int32_t element;
};

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_PARAMS_H_
