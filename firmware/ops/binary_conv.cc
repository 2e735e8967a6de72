#include "ops/binary_conv.h"

#include <cstring>

namespace tinyseg {
namespace {

// Constants that stay in registers: as immediates they would keep the compiler from shifting
// and masking in one instruction, which Arm has for registers only.
struct Masks {
  uint32_t ones = 0x55555555u;
  uint32_t pairs = 0x33333333u;
  uint32_t nibbles = 0x0F0F0F0Fu;

  Masks() { __asm__("" : "+r"(ones), "+r"(pairs), "+r"(nibbles)); }
};

// Bits set in each group of four.
inline uint32_t CountNibbles(uint32_t bits, const Masks& masks) {
  bits -= masks.ones & (bits >> 1);
  return (bits & masks.pairs) + (masks.pairs & (bits >> 2));
}

// Adds neighbouring groups of four: sums of bytes.
inline uint32_t NibblesToBytes(uint32_t nibbles, const Masks& masks) {
  return (nibbles & masks.nibbles) + (masks.nibbles & (nibbles >> 4));
}

inline int32_t SumBytes(uint32_t bytes) {
  const uint32_t halves = (bytes & 0x00FF00FFu) + ((bytes >> 8) & 0x00FF00FFu);
  return static_cast<int32_t>((halves + (halves >> 16)) & 0xFFFFu);
}

// Runs of words, divided for the counting loop: bytes hold the counts of 30 words, 240 of 255.
struct Runs {
  static constexpr int32_t kThrees = 10;

  int32_t full;    // Runs of kThrees times three words.
  int32_t threes;  // Groups of three words after them.
  int32_t rest;    // Words after those.

  explicit Runs(int32_t words)
      : full(words / (3 * kThrees)), threes(words / 3 % kThrees), rest(words % 3) {}
};

// Where two runs of words are compared; advances.
struct Cursor {
  const uint32_t* field;
  const uint32_t* filter;
  const uint32_t* mask;  // Ones at positions inside the image.
};

template <bool kMasked>
inline uint32_t NextDifference(Cursor* at) {
  const uint32_t bits = *at->field++ ^ *at->filter++;
  return kMasked ? bits & *at->mask++ : bits;
}

// Counts differing bits, in four sums of a byte each.
//
// Cores without a popcount instruction spend most on it. A full adder therefore turns three words
// into a sum and a carry first.
template <bool kMasked>
inline uint32_t CountThrees(Cursor* at, int32_t threes, const Masks& masks) {
  uint32_t bytes = 0;
  for (; threes > 0; --threes) {
    const uint32_t x = NextDifference<kMasked>(at);
    const uint32_t y = NextDifference<kMasked>(at);
    const uint32_t z = NextDifference<kMasked>(at);
    const uint32_t either = x ^ y;
    const uint32_t carries = CountNibbles((either & z) | (x & y), masks);
    bytes += NibblesToBytes(CountNibbles(either ^ z, masks) + 2 * carries, masks);
  }
  return bytes;
}

template <bool kMasked>
inline int32_t CountDifferences(Cursor* at, const Runs& runs, const Masks& masks) {
  int32_t total = 0;
  for (int32_t run = runs.full; run > 0; --run) {
    total += SumBytes(CountThrees<kMasked>(at, Runs::kThrees, masks));
  }
  uint32_t bytes = CountThrees<kMasked>(at, runs.threes, masks);
  for (int32_t word = runs.rest; word > 0; --word) {
    bytes += NibblesToBytes(CountNibbles(NextDifference<kMasked>(at), masks), masks);
  }
  return total + SumBytes(bytes);
}

void PackSigns(const int8_t* values, size_t positions, int32_t channels, int32_t zero_point,
               uint32_t* words) {
  for (size_t position = 0; position < positions; ++position) {
    for (int32_t first = 0; first < channels; first += 32) {
      const int32_t count = channels - first < 32 ? channels - first : 32;
      uint32_t word = 0;
      for (int32_t i = 0; i < count; ++i) {
        word |= static_cast<uint32_t>(values[i] >= zero_point) << i;
      }
      *words++ = word;
      values += count;
    }
  }
}

inline int8_t Requantize(int32_t sum, const Requantization& to, const BinaryConvRange& range) {
  // C++17 has no left shift of negative numbers.
  const int32_t fine = sum * (1 << kBinaryConvFractionBits) + to.bias;
  const int64_t product = int64_t{fine} * to.multiplier + (int64_t{1} << 30 << to.shift);
  // The upper word first: one shift of 32 bits instead of one of 64.
  const int32_t scaled = static_cast<int32_t>(product >> 32) >> (to.shift - 1);
  int32_t value = scaled + range.output_zero_point;
  if (value < range.output_min) value = range.output_min;
  if (value > range.output_max) value = range.output_max;
  return static_cast<int8_t>(value);
}

// The receptive field of one output position.
struct Field {
  int32_t top;
  int32_t left;
};

inline bool Inside(const BinaryConvShape& shape, int32_t y, int32_t x) {
  return y >= 0 && y < shape.input_height && x >= 0 && x < shape.input_width;
}

// Copies a field's words, and a mask of ones where it lies inside the image. Returns how many of
// its positions do.
int32_t GatherField(const BinaryConvShape& shape, Field field, const uint32_t* packed,
                    uint32_t* words, uint32_t* mask) {
  const int32_t width = shape.words();
  const size_t bytes = static_cast<size_t>(width) * sizeof(uint32_t);
  int32_t inside = 0;
  for (int32_t y = 0; y < shape.filter_height; ++y) {
    for (int32_t x = 0; x < shape.filter_width; ++x, words += width, mask += width) {
      const int32_t row = field.top + y;
      const int32_t column = field.left + x;
      const bool is_inside = Inside(shape, row, column);
      if (is_inside) std::memcpy(words, packed + (row * shape.input_width + column) * width, bytes);
      std::memset(mask, is_inside ? 0xFF : 0, bytes);
      inside += is_inside;
    }
  }
  return inside;
}

// Computes all channels of one output position.
template <bool kMasked>
void ConvolveField(const uint32_t* words, const uint32_t* mask, const uint32_t* filter,
                   const Runs& runs, int32_t products, const BinaryConvRange& range,
                   const Requantization* requantization, int32_t channels, int8_t* output) {
  const Masks masks;
  Cursor at = {words, filter, mask};
  for (int8_t* const end = output + channels; output < end; ++output, ++requantization) {
    at.field = words;
    at.mask = mask;
    const int32_t differences = CountDifferences<kMasked>(&at, runs, masks);
    *output = Requantize(products - 2 * differences, *requantization, range);
  }
}

}  // namespace

void BinaryConv(const BinaryConvShape& shape, const BinaryConvRange& range, const int8_t* input,
                const uint32_t* filter, const Requantization* requantization, uint32_t* scratch,
                int8_t* output) {
  const size_t positions = static_cast<size_t>(shape.input_height) * shape.input_width;
  uint32_t* words = scratch + positions * shape.words();
  uint32_t* mask = words + shape.filter_words();
  const Runs runs(shape.filter_words());
  const int32_t taps = shape.filter_height * shape.filter_width;
  PackSigns(input, positions, shape.input_channels, range.input_zero_point, scratch);
  for (int32_t y = 0; y < shape.output_height; ++y) {
    for (int32_t x = 0; x < shape.output_width; ++x) {
      const Field field = {y * shape.stride_height - shape.pad_top,
                           x * shape.stride_width - shape.pad_left};
      const int32_t inside = GatherField(shape, field, scratch, words, mask);
      const auto convolve = inside < taps ? ConvolveField<true> : ConvolveField<false>;
      convolve(words, mask, filter, runs, inside * shape.input_channels, range, requantization,
               shape.output_channels, output);
      output += shape.output_channels;
    }
  }
}

}  // namespace tinyseg
