// What the inner loops are written for.
#ifndef TINYSEG_ENGINE_KERNELS_MACHINE_H_
#define TINYSEG_ENGINE_KERNELS_MACHINE_H_

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

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_MACHINE_H_
