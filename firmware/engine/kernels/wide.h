// Sums of products of bytes with the vectors of this machine, where it has wide ones.
#ifndef TINYSEG_ENGINE_KERNELS_WIDE_H_
#define TINYSEG_ENGINE_KERNELS_WIDE_H_

#include <cstdint>
#include <cstring>

#include "engine/kernels/machine.h"
#include "engine/kernels/unroll.h"

#if defined(__AVX2__) && !defined(TINYSEG_ENGINE_SCALAR)
#include <immintrin.h>
#endif

namespace tinyseg {
namespace engine {

#if defined(__AVX2__) && !defined(TINYSEG_ENGINE_SCALAR)
constexpr bool kWide = true;

// Eight sums of products, each in eight parts.
class WideSums {
 public:
  // Adds to sums 2 * p and 2 * p + 1 the products of pixel p's bytes with those of two channels.
  TINYSEG_INLINED void Add(const int8_t* pixels, int32_t step, const int8_t* const* weights,
                           int32_t count) {
    int32_t i = 0;
    for (; i + kBytes <= count; i += kBytes) {
      AddBytes(
          pixels + i, step, weights[0] + i, weights[1] + i, [](const int8_t* from) TINYSEG_INLINED {
            return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
          });
    }
    if (i == count) return;
    const auto rest = static_cast<size_t>(count - i);
    AddBytes(pixels + i, step, weights[0] + i, weights[1] + i,
             [rest](const int8_t* from) TINYSEG_INLINED {
               __m128i bytes = _mm_setzero_si128();
               std::memcpy(&bytes, from, rest);
               return _mm256_cvtepi8_epi16(bytes);
             });
  }

  // Adds the sums to numbers.
  void AddTo(int32_t* sums) const {
    const auto pairs = [&](int i) TINYSEG_INLINED {
      return _mm256_hadd_epi32(_mm256_hadd_epi32(parts_[i], parts_[i + 1]),
                               _mm256_hadd_epi32(parts_[i + 2], parts_[i + 3]));
    };
    const __m256i first = pairs(0), second = pairs(4);
    const __m256i all = _mm256_add_epi32(_mm256_permute2x128_si256(first, second, 0x20),
                                         _mm256_permute2x128_si256(first, second, 0x31));
    auto* const to = reinterpret_cast<__m256i*>(sums);
    _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), all));
  }

 private:
  static constexpr int32_t kBytes = 16;

  template <class Load>
  TINYSEG_INLINED void AddBytes(const int8_t* pixels, int32_t step, const int8_t* first,
                                const int8_t* second, Load load) {
    const __m256i weights[2] = {load(first), load(second)};
    Unroll<4>([&](int p) TINYSEG_INLINED {
      const __m256i pixel = load(pixels + p * step);
      parts_[2 * p] = AddProducts(parts_[2 * p], pixel, weights[0]);
      parts_[2 * p + 1] = AddProducts(parts_[2 * p + 1], pixel, weights[1]);
    });
  }

  static TINYSEG_INLINED __m256i AddProducts(__m256i sum, __m256i one, __m256i other) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return _mm256_dpwssd_epi32(sum, one, other);
#else
    return _mm256_add_epi32(sum, _mm256_madd_epi16(one, other));
#endif
  }

  __m256i parts_[8] = {};
};
#else
constexpr bool kWide = false;

class WideSums {
 public:
  void Add(const int8_t*, int32_t, const int8_t* const*, int32_t) {}
  void AddTo(int32_t*) const {}
};
#endif

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_WIDE_H_
