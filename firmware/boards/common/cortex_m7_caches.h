// The caches of the Cortex-M7 (Arm DUI 0646, System control block and cache maintenance
// operations).
#ifndef TINYSEG_BOARDS_COMMON_CORTEX_M7_CACHES_H_
#define TINYSEG_BOARDS_COMMON_CORTEX_M7_CACHES_H_

#include "boards/common/cortex_m.h"

namespace tinyseg {

// Turns both on. Nothing but the processor reads or writes memory here, so they need no care after.
inline void StartCaches() {
  constexpr uintptr_t kCcr = 0xE000ED14;
  constexpr uint32_t kDataCacheOn = 1u << 16;
  constexpr uint32_t kInstructionCacheOn = 1u << 17;
  constexpr uintptr_t kCcsidr = 0xE000ED80;
  constexpr uintptr_t kCsselr = 0xE000ED84;
  constexpr uintptr_t kIciallu = 0xE000EF50;
  constexpr uintptr_t kDcisw = 0xE000EF60;
  const auto barrier = [] { __asm volatile("dsb\n isb" ::: "memory"); };

  barrier();
  Register(kIciallu) = 0;
  barrier();
  Register(kCcr) |= kInstructionCacheOn;
  barrier();

  Register(kCsselr) = 0;  // Data cache of level 1.
  barrier();
  const uint32_t size = Register(kCcsidr);
  const uint32_t last_set = size >> 13 & 0x7FFF;
  const uint32_t last_way = size >> 3 & 0x3FF;  // Four ways, lines of 32 bytes.
  for (uint32_t set = 0; set <= last_set; ++set) {
    for (uint32_t way = 0; way <= last_way; ++way) Register(kDcisw) = way << 30 | set << 5;
  }
  barrier();
  Register(kCcr) |= kDataCacheOn;
  barrier();
}

}  // namespace tinyseg

#endif  // TINYSEG_BOARDS_COMMON_CORTEX_M7_CACHES_H_
