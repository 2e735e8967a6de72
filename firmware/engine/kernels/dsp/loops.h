// The inner loops: in assembly, or in loops.cc in plain C++.
#ifndef TINYSEG_ENGINE_KERNELS_DSP_LOOPS_H_
#define TINYSEG_ENGINE_KERNELS_DSP_LOOPS_H_

#include <cstdint>

#include "engine/kernels/dsp/intrinsics.h"
#include "engine/kernels/dsp/params.h"

// Code of a pair of depths in the loop of tiles.
constexpr int32_t kBytesOfPair = 44;

extern "C" {

// What tiles of four pixels and two channels are made of.
struct tinyseg_dsp_tile_row {
  const int32_t* activations;  // Of each tile, for each pair of depths: a pair of each pixel.
  const int32_t* panel;  // For each pair of depths: a pair of weights of each channel, doubled.
  const struct tinyseg_dsp_constants* constants;
  int8_t* output;
  int32_t tiles;
  int32_t step;    // Bytes between pixels of the output.
  int32_t blocks;  // Of eight pairs of depths, rounded up.
  int32_t entry;   // Where the first block, which may be shorter, begins in the loop's code.
};

struct tinyseg_dsp_constants {
  int32_t biases[4][2];
  tinyseg::engine::dsp::Finish finishes[2];
};

// Where no sum below zero matters, and where it does.
void tinyseg_dsp_tiles(const struct tinyseg_dsp_tile_row* row);
void tinyseg_dsp_signed_tiles(const struct tinyseg_dsp_tile_row* row);

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
};
void tinyseg_dsp_widen(const struct tinyseg_dsp_widening* widening);

// Each word's bytes 0 and 2, then 1 and 3, doubled. `count` is rounded up to an even number.
void tinyseg_dsp_unpack(const int8_t* packed, int32_t* pairs, int32_t count);

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
