// The inner loops in plain C++.
#include "engine/kernels/dsp/loops.h"

#if !defined(__ARM_FEATURE_DSP)

#include "engine/kernels/dsp/finish.h"

using tinyseg::engine::dsp::AddHighProduct;
using tinyseg::engine::dsp::AddLowerLower;
using tinyseg::engine::dsp::AddLowerUpper;
using tinyseg::engine::dsp::AddProducts;
using tinyseg::engine::dsp::Byte;
using tinyseg::engine::dsp::ChannelPair;
using tinyseg::engine::dsp::EvenBytes;
using tinyseg::engine::dsp::LoadWord;
using tinyseg::engine::dsp::MakePair;
using tinyseg::engine::dsp::OddBytes;
using tinyseg::engine::dsp::Twice;

namespace {

constexpr int kPixels = 4;

int32_t Doubled(int32_t pair, int32_t doubles) { return doubles ? Twice(pair) : pair; }

// Pixels from `first` to before four of a tile.
template <bool kIsSigned>
void ComputeTile(const tinyseg_dsp_product& product, const ChannelPair& pair, const int32_t* pixels,
                 int32_t first, int8_t* output) {
  for (int32_t p = first; p < kPixels; ++p) {
    for (int32_t c = 0; c < 2; ++c) {
      int32_t sum = pair.biases[c];
      for (int32_t i = 0; i < product.pairs; ++i) {
        sum = AddProducts(pixels[i * kPixels + p], product.panel[i * 2 + c], sum);
      }
      output[p * product.step + c] = Byte<kIsSigned>(sum, pair.finishes[c]);
    }
  }
}

template <bool kIsSigned>
void Multiply(const tinyseg_dsp_product& product) {
  const int8_t* weights = product.weights;
  int8_t* output = product.output;
  for (int32_t i = 0; i < product.channel_pairs; ++i, output += 2) {
    const auto& pair = *reinterpret_cast<const ChannelPair*>(weights);
    weights += sizeof(ChannelPair);
    for (int32_t k = 0; k < product.pairs; ++k, weights += 4) {
      const uint32_t word = LoadWord(weights);
      product.panel[2 * k] = Doubled(EvenBytes(word), product.doubles_weights);
      product.panel[2 * k + 1] = Doubled(OddBytes(word), product.doubles_weights);
    }
    const int32_t* pixels = product.activations;
    for (int32_t tile = 0; tile < product.tiles; ++tile, pixels += kPixels * product.pairs) {
      ComputeTile<kIsSigned>(product, pair, pixels, 0, output + kPixels * tile * product.step);
    }
    if (product.last_tile == kNoLastTile) continue;
    const int32_t first = product.last_tile == kWholeLastTile ? 0 : product.last_tile;
    ComputeTile<kIsSigned>(product, pair, pixels, first, output + product.last_offset);
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

void tinyseg_dsp_multiply(const tinyseg_dsp_product* product) {
  (product->is_signed ? Multiply<true> : Multiply<false>)(*product);
}

void tinyseg_dsp_widen(const tinyseg_dsp_widening* widening) {
  const int8_t* from = widening->from;
  int32_t* to = widening->to;
  for (int32_t tile = 0; tile < widening->tiles; ++tile) {
    for (int32_t word = 0; word < widening->words; ++word, from += 4, to += 2 * kPixels) {
      for (int32_t p = 0; p < kPixels; ++p) {
        const uint32_t bytes = LoadWord(from + p * widening->step);
        to[p] = Doubled(EvenBytes(bytes), widening->doubles);
        to[kPixels + p] = Doubled(OddBytes(bytes), widening->doubles);
      }
    }
    if (widening->tail) {
      for (int32_t p = 0; p < kPixels; ++p) {
        const int8_t* const bytes = from + p * widening->step;
        *to++ = Doubled(MakePair(bytes[0], bytes[1]), widening->doubles);
      }
    }
    from += widening->pixel_skip;
    to += widening->pair_skip / 4;
  }
}

void tinyseg_dsp_add(const tinyseg_dsp_sum* sum) {
  for (int32_t i = 0; i < 4 * sum->words; ++i) {
    const int32_t product = sum->scaled[i] * 2 * kAddScale + sum->inner_bias;
    const int32_t rounding = sum->inner.rounding + (product >> 31);
    const int32_t value =
        AddHighProduct(product, sum->inner.multiplier, rounding) >> sum->inner.shift;
    sum->output[i] = Byte<true>(sum->plain[i] * kAddScale + sum->bias + 2 * value, sum->finish);
  }
}

void tinyseg_dsp_gate(const tinyseg_dsp_gate_row* row) {
  const int8_t* value = row->values;
  int8_t* output = row->output;
  for (int32_t x = 0; x < row->pixels; ++x) {
    const int32_t factor = (row->gates[x] - row->gate_zero) * (1 << row->bits);
    for (int32_t c = 0; c < 4 * row->words; ++c) {
      const int64_t product = int64_t{(*value++ + row->minus_zero) * factor} * row->multiplier;
      const int32_t high = static_cast<int32_t>(product >> 32) + row->rounding;
      const int32_t index = tinyseg::engine::Clamp(high >> 16, 0, 255);
      *output++ =
          row->tables == nullptr ? static_cast<int8_t>(index - 128) : row->tables[c * 256 + index];
    }
  }
}

void tinyseg_dsp_depthwise3x3(const tinyseg_dsp_channels* row) { ComputeChannels<3>(*row, 1); }
void tinyseg_dsp_depthwise3x3_by2(const tinyseg_dsp_channels* row) { ComputeChannels<3>(*row, 2); }
void tinyseg_dsp_depthwise2x2(const tinyseg_dsp_channels* row) { ComputeChannels<2>(*row, 1); }

}  // extern "C"

#endif  // !__ARM_FEATURE_DSP
