// loops.S in plain C++.
#include "engine/kernels/dsp/loops.h"

#if !defined(__ARM_FEATURE_DSP)

#include "engine/kernels/dsp/finish.h"

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

}  // extern "C"

#endif  // !__ARM_FEATURE_DSP
