// What the inner loops are written for.
#ifndef TINYSEG_ENGINE_KERNELS_MACHINE_H_
#define TINYSEG_ENGINE_KERNELS_MACHINE_H_

#include <cstdint>

namespace tinyseg {
namespace engine {

// Whether plain loops over bytes become vector instructions. TINYSEG_ENGINE_SCALAR lets the tests
// run on this machine what microcontrollers run.
#if (defined(__SSE2__) || defined(__aarch64__)) && !defined(TINYSEG_ENGINE_SCALAR)
constexpr bool kVectors = true;
#else
constexpr bool kVectors = false;
#endif

// Whether a 64-bit sum takes the product of two 32-bit numbers in one instruction.
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
constexpr bool kLongMultiply = false;
#else
constexpr bool kLongMultiply = !kVectors;
#endif

// A 64-bit sum of products.
class LongSum {
 public:
  explicit LongSum(uint32_t value) : lower_(value) {}

  void Add(int32_t first, int32_t second) {
#if defined(__thumb2__)
    // In C, compilers copy the halves to and fro.
    __asm__("smlal %0, %1, %2, %3" : "+r"(lower_), "+r"(upper_) : "r"(first), "r"(second));
#else
    const uint64_t sum =
        (uint64_t{upper_} << 32 | lower_) + static_cast<uint64_t>(int64_t{first} * second);
    lower_ = static_cast<uint32_t>(sum);
    upper_ = static_cast<uint32_t>(sum >> 32);
#endif
  }

  // The lower bits, and what lies above them.
  template <int kBits>
  int32_t lower() const {
    return static_cast<int32_t>(lower_ & ((1u << kBits) - 1));
  }
  template <int kBits>
  int32_t upper() const {
    return static_cast<int32_t>(lower_ >> kBits | upper_ << (32 - kBits));
  }

 private:
  uint32_t lower_;
  uint32_t upper_ = 0;
};

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_MACHINE_H_
