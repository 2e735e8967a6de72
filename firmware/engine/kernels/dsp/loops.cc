// The inner loops in plain C++.
#include "engine/kernels/dsp/loops.h"

#if !defined(__ARM_FEATURE_DSP)

#include "engine/kernels/dsp/finish.h"

using tinyseg::engine::dsp::AddLowerLower;
using tinyseg::engine::dsp::AddLowerUpper;
using tinyseg::engine::dsp::AddProducts;
using tinyseg::engine::dsp::Byte;
using tinyseg::engine::dsp::EvenBytes;
using tinyseg::engine::dsp::LoadWord;
using tinyseg::engine::dsp::MakePair;
using tinyseg::engine::dsp::OddBytes;
using tinyseg::engine::dsp::Twice;

namespace {

constexpr int kPixels = 4;
constexpr int32_t kBlock = 8;

template <bool kIsSigned>
void ComputeTiles(const tinyseg_dsp_tile_row& row) {
  const int32_t pairs = row.blocks * kBlock - row.entry / kBytesOfPair;
  const int32_t* pixels = row.activations;
  int8_t* output = row.output;
  for (int32_t tile = 0; tile < row.tiles; ++tile) {
    for (int32_t p = 0; p < kPixels; ++p) {
      for (int32_t c = 0; c < 2; ++c) {
        int32_t sum = row.constants->biases[p][c];
        for (int32_t i = 0; i < pairs; ++i) {
          sum = AddProducts(pixels[i * kPixels + p], row.panel[i * 2 + c], sum);
        }
        output[p * row.step + c] = Byte<kIsSigned>(sum, row.constants->finishes[c]);
      }
    }
    pixels += pairs * kPixels;
    output += kPixels * row.step;
  }
}

// Of a window of as many rows as columns.
template <int32_t kSize>
void ComputeChannel(const tinyseg_dsp_channels& row, int32_t stride, int32_t index) {
  constexpr int32_t kWeights = kSize == 3 ? 5 : 2;
  const int32_t* const weights = row.channels + index * (kWeights + 4);
  const int32_t* const rest = weights + kWeights;
  const int8_t* input = row.input + index;
  int8_t* output = row.output + index;
  const int32_t pixels = row.pixels + row.right;
  for (int32_t x = 0; x < pixels; ++x, output += row.output_step) {
    int32_t sum = rest[2];
    for (int32_t tap = 0; tap < kSize; ++tap) {
      int32_t upper = row.zeros;
      int32_t lower = row.zeros;
      const bool is_left = row.left && x == 0 && tap == 0;
      const bool is_right = row.right && x == pixels - 1 && tap == kSize - 1;
      if (!is_left && !is_right) {
        const int8_t* const from = input + (x * stride + tap - row.left) * row.step;
        upper = MakePair(from[0], from[row.middle]);
        lower = from[row.lower];
      }
      sum = AddProducts(upper, weights[tap], sum);
      if (kSize < 3) continue;
      sum = tap == 1 ? AddLowerUpper(lower, weights[3], sum)
                     : AddLowerLower(lower, weights[3 + tap / 2], sum);
    }
    *output = Byte<true>(sum, {rest[0], rest[1], rest[3]});
  }
}

template <int32_t kSize>
void ComputeChannels(const tinyseg_dsp_channels& row, int32_t stride) {
  for (int32_t c = 0; c < row.channel_count; ++c) ComputeChannel<kSize>(row, stride, c);
}

}  // namespace

extern "C" {

void tinyseg_dsp_tiles(const tinyseg_dsp_tile_row* row) { ComputeTiles<false>(*row); }
void tinyseg_dsp_signed_tiles(const tinyseg_dsp_tile_row* row) { ComputeTiles<true>(*row); }

void tinyseg_dsp_widen(const tinyseg_dsp_widening* widening) {
  const int8_t* from = widening->from;
  int32_t* to = widening->to;
  for (int32_t tile = 0; tile < widening->tiles; ++tile) {
    for (int32_t word = 0; word < widening->words; ++word, from += 4, to += 2 * kPixels) {
      for (int32_t p = 0; p < kPixels; ++p) {
        const uint32_t bytes = LoadWord(from + p * widening->step);
        to[p] = EvenBytes(bytes);
        to[kPixels + p] = OddBytes(bytes);
      }
    }
    if (widening->tail) {
      for (int32_t p = 0; p < kPixels; ++p) {
        *to++ = MakePair(from[p * widening->step], from[p * widening->step + 1]);
      }
    }
    from += widening->pixel_skip;
    to += widening->pair_skip / 4;
  }
}

void tinyseg_dsp_unpack(const int8_t* packed, int32_t* pairs, int32_t count) {
  for (int32_t i = 0; i < (count + 1) / 2 * 2; ++i, packed += 4) {
    const uint32_t word = LoadWord(packed);
    *pairs++ = Twice(EvenBytes(word));
    *pairs++ = Twice(OddBytes(word));
  }
}

void tinyseg_dsp_depthwise3x3(const tinyseg_dsp_channels* row) { ComputeChannels<3>(*row, 1); }
void tinyseg_dsp_depthwise3x3_by2(const tinyseg_dsp_channels* row) { ComputeChannels<3>(*row, 2); }
void tinyseg_dsp_depthwise2x2(const tinyseg_dsp_channels* row) { ComputeChannels<2>(*row, 1); }

}  // extern "C"

#endif  // !__ARM_FEATURE_DSP
