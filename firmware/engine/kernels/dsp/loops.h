// The inner loops: in assembly, or in loops.cc in plain C++.
#ifndef TINYSEG_ENGINE_KERNELS_DSP_LOOPS_H_
#define TINYSEG_ENGINE_KERNELS_DSP_LOOPS_H_

#include <cstdint>

#include "engine/kernels/dsp/intrinsics.h"
#include "engine/kernels/dsp/params.h"

extern "C" {

// How many pixels of a row's last tile the one before has, too.
enum tinyseg_dsp_last_tile {
  kNoLastTile = 0,
  kWholeLastTile = 1,
  kHalfLastTile = 2,  // Only its last two pixels are computed,
  kOneLastTile = 3,   // or the last one.
};

// Tiles of four pixels and two channels.
struct tinyseg_dsp_product {
  const int32_t* activations;  // Of each tile, for each pair of depths: a pair of each pixel.
  int32_t* panel;  // For the weights of a pair of channels: two for each pair of depths, and six.
  const int8_t* weights;  // ChannelPair, each with its weights.
  int8_t* output;         // First pixel, first channel.
  int32_t tiles;          // Without the last one.
  int32_t step;           // Bytes between pixels of the output.
  int32_t pairs;          // Of depths.
  int32_t channel_pairs;
  int32_t last_tile;        // Of tinyseg_dsp_last_tile.
  int32_t last_offset;      // From the output to the last tile's first pixel.
  int32_t doubles_weights;  // Else activations are doubled.
  int32_t is_signed;        // Whether sums below zero matter.
};
void tinyseg_dsp_multiply(const struct tinyseg_dsp_product* product);

// Bytes of four pixels at a time.
struct tinyseg_dsp_widening {
  const int8_t* from;
  int32_t step;   // Bytes between pixels.
  int32_t* to;    // For each pair of bytes: that of each pixel.
  int32_t words;  // Of a pixel: bytes 0 and 2 are a pair, and 1 and 3.
  int32_t tiles;
  int32_t pixel_skip;  // Bytes from the end of a tile's first pixel to the next tile.
  int32_t pair_skip;   // As many bytes of what is written.
  int32_t tail;        // Whether one more pair, of two bytes, follows the words.
  int32_t doubles;     // What is written.
};
void tinyseg_dsp_widen(const struct tinyseg_dsp_widening* widening);

// Pixels that are multiplied with a gate each; the upper half of a word is the output, 128 more.
struct tinyseg_dsp_gate_row {
  const int8_t* gates;
  int32_t gate_zero;
  int32_t bits;          // That gates are shifted left.
  int32_t minus_zero;    // Of the values.
  const int8_t* tables;  // Null, or 256 outputs of each channel.
  int32_t words;         // Of four channels of a pixel.
  int32_t pixels;
  const int8_t* values;
  int8_t* output;
  int32_t multiplier;
  int32_t rounding;
};
void tinyseg_dsp_gate(const struct tinyseg_dsp_gate_row* row);

// Words of four elements, of which the plain ones are scaled by kAddScale, and the others by twice
// that, then finished, and count twice.
constexpr int32_t kAddScale = 1 << 20;
struct tinyseg_dsp_sum {
  int32_t inner_bias;
  tinyseg::engine::dsp::Finish inner;
  int32_t bias;
  tinyseg::engine::dsp::Finish finish;
  const int8_t* plain;
  const int8_t* scaled;
  int8_t* output;
  int32_t words;
};
void tinyseg_dsp_add(const struct tinyseg_dsp_sum* sum);

// Channels of a row of a depthwise convolution.
struct tinyseg_dsp_channels {
  const int8_t* input;  // Upper row under a window.
  int8_t* output;
  int32_t middle, lower;  // From the upper row to the second and the last.
  int32_t step, output_step;
  const int32_t* channels;  // Depthwise3x3Channel or Depthwise2x2Channel.
  int32_t channel_count;
  int32_t pixels;       // Whose window has its last column inside the input.
  int32_t left, right;  // Whether a column lies beyond the input.
  int32_t zeros;        // Pair of the input's zero point.
};

// Windows of 3x3 and 2x2; by2 steps by two pixels, the others by one. The first needs a pixel.
void tinyseg_dsp_depthwise3x3(const struct tinyseg_dsp_channels* channels);
void tinyseg_dsp_depthwise3x3_by2(const struct tinyseg_dsp_channels* channels);
void tinyseg_dsp_depthwise2x2(const struct tinyseg_dsp_channels* channels);

}  // extern "C"

#endif  // TINYSEG_ENGINE_KERNELS_DSP_LOOPS_H_
