// What compilers do not make of plain loops.
#ifndef TINYSEG_ENGINE_KERNELS_HOST_VECTORS_H_
#define TINYSEG_ENGINE_KERNELS_HOST_VECTORS_H_

#include <cstdint>
#include <cstring>

#include "engine/kernels/requantize.h"
#include "engine/kernels/unroll.h"

// TINYSEG_ENGINE_SCALAR lets the tests run what machines without these vectors run.
#if defined(__AVX2__) && !defined(TINYSEG_ENGINE_SCALAR)
#define TINYSEG_AVX2
#include <immintrin.h>
#endif

namespace tinyseg {
namespace engine {
namespace host {

constexpr int32_t kLanes = 8;

// What sixteen sums of ordinary channels become, as Finish.
class Factors {
 public:
  // Sets those of one sum, or of all. The output's zero point is added, too.
  void Set(int32_t i, const Channel& channel, int32_t zero) {
    multiplier_[i] = channel.factor.multiplier;
    shift_[i] = -channel.factor.shift & 31;
    const uint32_t unit = 1u << shift_[i];
    rounding_[i] = static_cast<int32_t>((unit >> 1) + static_cast<uint32_t>(zero) * unit);
  }
  void SetAll(const Channel& channel, int32_t zero) {
    Set(0, channel, zero);
    for (int32_t i = 1; i < 2 * kLanes; ++i) multiplier_[i] = multiplier_[0];
    for (int32_t i = 1; i < 2 * kLanes; ++i) shift_[i] = shift_[0];
    for (int32_t i = 1; i < 2 * kLanes; ++i) rounding_[i] = rounding_[0];
  }

  void Apply(const int32_t* sums, int8_t* bytes) const;

 private:
  int32_t multiplier_[2 * kLanes] = {};
  int32_t shift_[2 * kLanes] = {};
  int32_t rounding_[2 * kLanes] = {};
};

#if defined(TINYSEG_AVX2)

// Eight sums.
class Sums {
 public:
  Sums() = default;
  explicit Sums(int32_t value) : sums_(_mm256_set1_epi32(value)) {}
  explicit Sums(const int32_t* values)
      : sums_(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(values))) {}

  // Adds to each the products of two values, which lie side by side, with two weights.
  TINYSEG_INLINED void Add(const int16_t* values, const int16_t* weights) {
    int32_t both;
    std::memcpy(&both, weights, sizeof(both));
    AddProducts(Load(values), _mm256_set1_epi32(both));
  }

  // The same, with two weights for each sum.
  TINYSEG_INLINED void AddEach(const int16_t* values, const int16_t* weights) {
    AddProducts(Load(values), Load(weights));
  }

  TINYSEG_INLINED void Store(int32_t* to) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), sums_);
  }

 private:
  static TINYSEG_INLINED __m256i Load(const int16_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }

  TINYSEG_INLINED void AddProducts(__m256i values, __m256i weights) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    sums_ = _mm256_dpwssd_epi32(sums_, values, weights);
#else
    sums_ = _mm256_add_epi32(sums_, _mm256_madd_epi16(values, weights));
#endif
  }

  __m256i sums_;
};

// Sixteen bytes of two rows become sixteen pairs.
TINYSEG_INLINE void Interleave(const int8_t* first, const int8_t* second, int16_t* to) {
  const __m128i one = _mm_loadu_si128(reinterpret_cast<const __m128i*>(first));
  const __m128i other = _mm_loadu_si128(reinterpret_cast<const __m128i*>(second));
  auto* const pairs = reinterpret_cast<__m256i*>(to);
  _mm256_storeu_si256(pairs, _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(one, other)));
  _mm256_storeu_si256(pairs + 1, _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(one, other)));
}

// Sixteen bytes of eight pixels become eight rows of two values of each pixel, `step` values apart.
TINYSEG_INLINE void Transpose(const int8_t* const* from, int16_t* to, int32_t step) {
  __m256i rows[kLanes], twos[kLanes], fours[kLanes];
  Unroll<kLanes>([&](int i) TINYSEG_INLINED {
    rows[i] = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from[i])));
  });
  Unroll<4>([&](int i) TINYSEG_INLINED {
    twos[2 * i] = _mm256_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
    twos[2 * i + 1] = _mm256_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
  });
  Unroll<2>([&](int i) TINYSEG_INLINED {
    const __m256i* const two = twos + 4 * i;
    fours[4 * i] = _mm256_unpacklo_epi64(two[0], two[2]);
    fours[4 * i + 1] = _mm256_unpackhi_epi64(two[0], two[2]);
    fours[4 * i + 2] = _mm256_unpacklo_epi64(two[1], two[3]);
    fours[4 * i + 3] = _mm256_unpackhi_epi64(two[1], two[3]);
  });
  Unroll<4>([&](int i) TINYSEG_INLINED {
    auto* const lower = reinterpret_cast<__m256i*>(to + i * step);
    auto* const upper = reinterpret_cast<__m256i*>(to + (4 + i) * step);
    _mm256_storeu_si256(lower, _mm256_permute2x128_si256(fours[i], fours[4 + i], 0x20));
    _mm256_storeu_si256(upper, _mm256_permute2x128_si256(fours[i], fours[4 + i], 0x31));
  });
}

TINYSEG_INLINE void Factors::Apply(const int32_t* sums, int8_t* bytes) const {
  const auto load = [](const int32_t* from) TINYSEG_INLINED {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  };
  const auto finish = [&](int32_t i) TINYSEG_INLINED {
    const __m256i half = _mm256_set1_epi64x(int64_t{1} << 31);
    const __m256i factor = load(multiplier_ + i);
    const __m256i twice = _mm256_slli_epi32(load(sums + i), 1);
    const __m256i even = _mm256_mul_epi32(twice, factor);
    const __m256i odd =
        _mm256_mul_epi32(_mm256_srli_epi64(twice, 32), _mm256_srli_epi64(factor, 32));
    const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(_mm256_add_epi64(even, half), 32),
                                            _mm256_add_epi64(odd, half), 0xAA);
    const __m256i away = _mm256_add_epi32(high, _mm256_srai_epi32(high, 31));
    return _mm256_srav_epi32(_mm256_add_epi32(away, load(rounding_ + i)), load(shift_ + i));
  };
  const __m256i words = _mm256_packs_epi32(finish(0), finish(kLanes));
  const __m256i ordered = _mm256_permute4x64_epi64(words, 0xD8);
  const __m128i all =
      _mm_packs_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), all);
}

// Sixteen bytes each of four rows become sixteen times four, side by side.
TINYSEG_INLINE void InterleaveFour(const int8_t* rows, int8_t* to) {
  __m128i row[4];
  Unroll<4>([&](int i) TINYSEG_INLINED {
    row[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows + 16 * i));
  });
  auto* const sides = reinterpret_cast<__m128i*>(to);
  const __m128i lower[] = {_mm_unpacklo_epi8(row[0], row[1]), _mm_unpacklo_epi8(row[2], row[3])};
  const __m128i upper[] = {_mm_unpackhi_epi8(row[0], row[1]), _mm_unpackhi_epi8(row[2], row[3])};
  _mm_storeu_si128(sides, _mm_unpacklo_epi16(lower[0], lower[1]));
  _mm_storeu_si128(sides + 1, _mm_unpackhi_epi16(lower[0], lower[1]));
  _mm_storeu_si128(sides + 2, _mm_unpacklo_epi16(upper[0], upper[1]));
  _mm_storeu_si128(sides + 3, _mm_unpackhi_epi16(upper[0], upper[1]));
}

#else

TINYSEG_INLINE void Factors::Apply(const int32_t* sums, int8_t* bytes) const {
  for (int32_t i = 0; i < 2 * kLanes; ++i) {
    const int64_t product = int64_t{sums[i] * 2} * multiplier_[i];
    const auto high = static_cast<int32_t>((product + (int64_t{1} << 31)) >> 32);
    bytes[i] = Saturate((high + (high >> 31) + rounding_[i]) >> shift_[i]);
  }
}

TINYSEG_INLINE void InterleaveFour(const int8_t* rows, int8_t* to) {
  for (int32_t i = 0; i < 2 * kLanes; ++i) {
    for (int32_t row = 0; row < 4; ++row) to[4 * i + row] = rows[2 * kLanes * row + i];
  }
}

class Sums {
 public:
  Sums() = default;
  explicit Sums(int32_t value) {
    for (uint32_t& sum : sums_) sum = static_cast<uint32_t>(value);
  }
  explicit Sums(const int32_t* values) { std::memcpy(sums_, values, sizeof(sums_)); }

  TINYSEG_INLINED void Add(const int16_t* values, const int16_t* weights) {
    for (int32_t i = 0; i < kLanes; ++i) {
      sums_[i] += Product(values + 2 * i, weights);
    }
  }

  TINYSEG_INLINED void AddEach(const int16_t* values, const int16_t* weights) {
    for (int32_t i = 0; i < kLanes; ++i) {
      sums_[i] += Product(values + 2 * i, weights + 2 * i);
    }
  }

  TINYSEG_INLINED void Store(int32_t* to) const { std::memcpy(to, sums_, sizeof(sums_)); }

 private:
  static uint32_t Product(const int16_t* values, const int16_t* weights) {
    return static_cast<uint32_t>(values[0] * weights[0] + values[1] * weights[1]);
  }

  uint32_t sums_[kLanes];  // Sums that nobody reads may overflow.
};

TINYSEG_INLINE void Interleave(const int8_t* first, const int8_t* second, int16_t* to) {
  for (int32_t i = 0; i < 2 * kLanes; ++i) {
    to[2 * i] = first[i];
    to[2 * i + 1] = second[i];
  }
}

TINYSEG_INLINE void Transpose(const int8_t* const* from, int16_t* to, int32_t step) {
  for (int32_t i = 0; i < kLanes; ++i) {
    for (int32_t k = 0; k < 2 * kLanes; ++k) to[k / 2 * step + 2 * i + k % 2] = from[i][k];
  }
}

#endif

}  // namespace host
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_HOST_VECTORS_H_
