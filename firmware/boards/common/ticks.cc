// Processor clock ticks from SysTick, which every Cortex-M has: 24 bits, counting down.
#include "boards/common/cortex_m.h"
#include "core/board.h"

namespace {

constexpr uintptr_t kControl = 0xE000E010;
constexpr uintptr_t kReload = 0xE000E014;
constexpr uintptr_t kValue = 0xE000E018;
constexpr uint32_t kPeriod = 1u << 24;

volatile uint32_t wraps = 0;

}  // namespace

extern "C" void SysTickHandler() { wraps = wraps + 1; }

namespace tinyseg {
namespace board {

void ResetTicks() {
  Register(kControl) = 0;
  Register(kReload) = kPeriod - 1;
  Register(kValue) = 0;  // Any write clears it; it reloads with the next tick.
  wraps = 0;
  Register(kControl) = 7;  // On, with its interrupt, from the processor clock.
}

uint64_t Ticks() {
  uint32_t high;
  uint32_t low;
  do {  // Again if it wrapped in between.
    high = wraps;
    low = Register(kValue);
  } while (high != wraps);
  // Zero is read until the first reload.
  const uint32_t elapsed = low == 0 ? 0 : kPeriod - low;
  return static_cast<uint64_t>(high) * kPeriod + elapsed;
}

}  // namespace board
}  // namespace tinyseg
