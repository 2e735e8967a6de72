// Registers that all Cortex-M processors have.
#ifndef TINYSEG_BOARDS_COMMON_CORTEX_M_H_
#define TINYSEG_BOARDS_COMMON_CORTEX_M_H_

#include <cstdint>

#include "core/stack.h"

namespace tinyseg {

// A memory-mapped register.
inline volatile uint32_t& Register(uintptr_t address) {
  return *reinterpret_cast<volatile uint32_t*>(address);
}

// Allows floating-point and vector instructions (CPACR, coprocessors 10 and 11).
inline void EnableFpu() {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
  Register(0xE000ED88) |= 0xFu << 20;
  __asm volatile("dsb\n isb" ::: "memory");
#endif
}

// VTOR.
inline void SetVectorTable(const void* table) {
  Register(0xE000ED08) = reinterpret_cast<uintptr_t>(table);
}

// Resets the processor and its peripherals (AIRCR.SYSRESETREQ).
[[noreturn]] inline void RebootCore() {
  __asm volatile("dsb" ::: "memory");
  Register(0xE000ED0C) = 0x05FA0004;
  while (true) {
  }
}

// The stack between __stack_bottom and __stack_top.
StackRegion BoardStack();

}  // namespace tinyseg

#endif  // TINYSEG_BOARDS_COMMON_CORTEX_M_H_
