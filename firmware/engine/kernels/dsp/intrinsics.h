// Instructions of the DSP extension: the compiler's intrinsics, or the same in plain C++ for other
// machines.
#ifndef TINYSEG_ENGINE_KERNELS_DSP_INTRINSICS_H_
#define TINYSEG_ENGINE_KERNELS_DSP_INTRINSICS_H_

#include <cstdint>
#include <cstring>

#if defined(__ARM_FEATURE_DSP)
#include <arm_acle.h>
#endif

namespace tinyseg {
namespace engine {
namespace dsp {

// Two 16-bit numbers, the first in the lower half.
using Pair = int32_t;

inline constexpr int32_t Lower(Pair pair) { return static_cast<int16_t>(pair); }
inline constexpr int32_t Upper(Pair pair) { return pair >> 16; }

inline Pair MakePair(int32_t lower, int32_t upper) {
  return static_cast<int32_t>((static_cast<uint32_t>(lower) & 0xffffu) |
                              static_cast<uint32_t>(upper) << 16);
}

// Four bytes at any address.
inline uint32_t LoadWord(const void* from) {
  uint32_t word;
  std::memcpy(&word, from, sizeof(word));
  return word;
}
inline void StoreWord(void* to, uint32_t word) { std::memcpy(to, &word, sizeof(word)); }

// Bytes 0 and 2 of a word.
inline Pair EvenBytes(uint32_t word) {
#if defined(__ARM_FEATURE_DSP)
  return __sxtb16(static_cast<int32_t>(word));
#else
  return MakePair(static_cast<int8_t>(word), static_cast<int8_t>(word >> 16));
#endif
}

// Bytes 1 and 3 of a word.
inline Pair OddBytes(uint32_t word) { return EvenBytes(word >> 8 | word << 24); }

// Adds bytes 0 and 2 of a word to two halves.
inline Pair AddEvenBytes(Pair sums, uint32_t word) {
#if defined(__ARM_FEATURE_DSP)
  return __sxtab16(sums, static_cast<int32_t>(word));
#else
  return MakePair(Lower(sums) + static_cast<int8_t>(word),
                  Upper(sums) + static_cast<int8_t>(word >> 16));
#endif
}

// Adds bytes 1 and 3 of a word to two halves.
inline Pair AddOddBytes(Pair sums, uint32_t word) {
  return AddEvenBytes(sums, word >> 8 | word << 24);
}

// The lower halves of two pairs, and the upper ones.
inline Pair LowerHalves(Pair first, Pair second) { return MakePair(first, second); }
inline Pair UpperHalves(Pair first, Pair second) {
  return static_cast<int32_t>((static_cast<uint32_t>(second) & 0xffff0000u) |
                              static_cast<uint32_t>(first) >> 16);
}

// Twice both halves.
inline Pair Twice(Pair pair) {
#if defined(__ARM_FEATURE_DSP)
  return __sadd16(pair, pair);
#else
  return MakePair(Lower(pair) * 2, Upper(pair) * 2);
#endif
}

// Of each of four signed bytes the larger one.
inline uint32_t LargerBytes(uint32_t first, uint32_t second) {
#if defined(__ARM_FEATURE_DSP)
  __ssub8(static_cast<int8x4_t>(first), static_cast<int8x4_t>(second));
  return __sel(first, second);
#else
  uint32_t larger = 0;
  for (int bit = 0; bit < 32; bit += 8) {
    const auto a = static_cast<int8_t>(first >> bit);
    const auto b = static_cast<int8_t>(second >> bit);
    larger |= (static_cast<uint32_t>(a > b ? a : b) & 0xff) << bit;
  }
  return larger;
#endif
}

// Bytes of a word, and a word of bytes.
template <int kIndex>
inline int32_t ByteOf(uint32_t word) {
  return static_cast<int8_t>(word >> (8 * kIndex));
}
inline uint32_t MakeWord(int32_t b0, int32_t b1, int32_t b2, int32_t b3) {
  const uint32_t lower = (static_cast<uint32_t>(b0) & 0xff) | (static_cast<uint32_t>(b1) & 0xff)
                                                                  << 8;
  const uint32_t upper = (static_cast<uint32_t>(b2) & 0xff) | (static_cast<uint32_t>(b3) & 0xff)
                                                                  << 8;
  return (lower & 0xffff) | upper << 16;
}

// Adds both products of halves to a sum.
inline int32_t AddProducts(Pair first, Pair second, int32_t sum) {
#if defined(__ARM_FEATURE_DSP)
  return __smlad(first, second, sum);
#else
  return sum + Lower(first) * Lower(second) + Upper(first) * Upper(second);
#endif
}

// Adds the product of two halves to a sum.
inline int32_t AddLowerLower(Pair first, Pair second, int32_t sum) {
#if defined(__ARM_FEATURE_DSP)
  return __smlabb(first, second, sum);
#else
  return sum + Lower(first) * Lower(second);
#endif
}
inline int32_t AddLowerUpper(Pair first, Pair second, int32_t sum) {
#if defined(__ARM_FEATURE_DSP)
  return __smlabt(first, second, sum);
#else
  return sum + Lower(first) * Upper(second);
#endif
}

// The upper word of a product, rounded, and a sum.
inline int32_t AddHighProduct(int32_t first, int32_t second, int32_t sum) {
#if defined(__ARM_FEATURE_DSP)
  // There is no intrinsic for it.
  int32_t result;
  __asm__("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(first), "r"(second), "r"(sum));
  return result;
#else
  const int64_t product = int64_t{first} * second + (int64_t{1} << 31);
  return sum + static_cast<int32_t>(product >> 32);
#endif
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_DSP_INTRINSICS_H_
