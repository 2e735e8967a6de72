// ST Nucleo-H743ZI and Nucleo-H743ZI2: Cortex-M7 with caches, at 400 MHz.
//
// Chapters are those of RM0433, the reference manual of the STM32H743.
#include "core/board.h"

#include "boards/common/cortex_m.h"
#include "boards/common/cortex_m7_caches.h"
#include "boards/common/stm32_usart.h"

namespace tinyseg {
namespace board {
namespace {

// RM0433, Power control (PWR).
constexpr uintptr_t kPwr = 0x58024800;
constexpr uintptr_t kPwrCsr1 = kPwr + 0x04;
constexpr uint32_t kActualVoltageReady = 1u << 13;
constexpr uintptr_t kPwrCr3 = kPwr + 0x0C;
constexpr uint32_t kSupplyBypass = 1u << 0;
constexpr uint32_t kSupplyLdo = 1u << 1;
constexpr uint32_t kSupplyUpdate = 1u << 2;
constexpr uintptr_t kPwrD3cr = kPwr + 0x18;
constexpr uint32_t kVoltageReady = 1u << 13;
constexpr uint32_t kVoltageScale1 = 3u << 14;

// RM0433, Reset and clock control (RCC).
constexpr uintptr_t kRcc = 0x58024400;
constexpr uintptr_t kRccCr = kRcc + 0x00;
constexpr uint32_t kHseOn = 1u << 16;
constexpr uint32_t kHseReady = 1u << 17;
constexpr uint32_t kHseBypass = 1u << 18;
constexpr uint32_t kPll1On = 1u << 24;
constexpr uint32_t kPll1Ready = 1u << 25;
constexpr uintptr_t kRccCfgr = kRcc + 0x10;
constexpr uint32_t kSystemClockPll1 = 3u << 0;
constexpr uint32_t kSystemClockStatus = 7u << 3;
constexpr uint32_t kSystemClockIsPll1 = 3u << 3;
constexpr uintptr_t kRccD1cfgr = kRcc + 0x18;
constexpr uint32_t kAhbHalf = 8u << 0;
constexpr uint32_t kApb3Half = 4u << 4;
constexpr uintptr_t kRccD2cfgr = kRcc + 0x1C;
constexpr uint32_t kApb1Half = 4u << 4;
constexpr uint32_t kApb2Half = 4u << 8;
constexpr uintptr_t kRccD3cfgr = kRcc + 0x20;
constexpr uint32_t kApb4Half = 4u << 4;
constexpr uintptr_t kRccPllckselr = kRcc + 0x28;
constexpr uint32_t kPllSourceHse = 2u << 0;
constexpr uint32_t kPll1InputShift = 4;
constexpr uintptr_t kRccPllcfgr = kRcc + 0x2C;
constexpr uint32_t kPll1Input2To4Mhz = 1u << 2;
constexpr uint32_t kPll1OutputP = 1u << 16;
constexpr uintptr_t kRccPll1divr = kRcc + 0x30;
constexpr uint32_t kPll1PShift = 9;
constexpr uintptr_t kRccAhb4enr = kRcc + 0xE0;
constexpr uint32_t kGpioDClock = 1u << 3;
constexpr uintptr_t kRccApb1lenr = kRcc + 0xE8;
constexpr uint32_t kUsart3Clock = 1u << 18;

// RM0433, Embedded flash memory: two wait states for 185 to 210 MHz at voltage scale 1.
constexpr uintptr_t kFlashAcr = 0x52002000;
constexpr uint32_t kFlashTiming = 2u << 4 | 2u << 0;

// RM0433, General-purpose I/Os (GPIO).
constexpr uintptr_t kGpioD = 0x58020C00;
constexpr uintptr_t kGpioMode = kGpioD + 0x00;
constexpr uint32_t kModeAlternate = 2;
constexpr uintptr_t kGpioPull = kGpioD + 0x0C;
constexpr uint32_t kPullUp = 1;
constexpr uintptr_t kGpioAlternateHigh = kGpioD + 0x24;
constexpr uint32_t kAlternateUsart3 = 7;
constexpr uint32_t kTxPin = 8;
constexpr uint32_t kRxPin = 9;

// The ST-LINK's clock of 8 MHz, by 4, times 400, by 2.
constexpr uint32_t kHseHz = 8000000;
constexpr uint32_t kPllM = 4;
constexpr uint32_t kPllN = 400;
constexpr uint32_t kPllP = 2;
constexpr uint32_t kClockHz = kHseHz / kPllM * kPllN / kPllP;
constexpr uint32_t kApb1Hz = kClockHz / 4;
constexpr uint32_t kBaud = 921600;
constexpr Stm32Usart kUsart3(0x40004800);

void WaitFor(uintptr_t address, uint32_t bits) {
  while ((Register(address) & bits) != bits) {
  }
}

void StartClock() {
  // The supply has to be stated once after power-up, before voltage and clock may rise.
  Register(kPwrCr3) = (Register(kPwrCr3) & ~kSupplyBypass) | kSupplyLdo | kSupplyUpdate;
  WaitFor(kPwrCsr1, kActualVoltageReady);
  Register(kPwrD3cr) = kVoltageScale1;
  WaitFor(kPwrD3cr, kVoltageReady);

  Register(kRccCr) |= kHseBypass;
  Register(kRccCr) |= kHseOn;
  WaitFor(kRccCr, kHseReady);
  Register(kRccPllckselr) = kPllSourceHse | kPllM << kPll1InputShift;
  Register(kRccPllcfgr) = kPll1Input2To4Mhz | kPll1OutputP;
  Register(kRccPll1divr) = (kPllN - 1) | (kPllP - 1) << kPll1PShift;
  Register(kRccCr) |= kPll1On;
  WaitFor(kRccCr, kPll1Ready);

  Register(kRccD1cfgr) = kAhbHalf | kApb3Half;
  Register(kRccD2cfgr) = kApb1Half | kApb2Half;
  Register(kRccD3cfgr) = kApb4Half;
  Register(kFlashAcr) = kFlashTiming;
  while (Register(kFlashAcr) != kFlashTiming) {
  }
  Register(kRccCfgr) = kSystemClockPll1;
  while ((Register(kRccCfgr) & kSystemClockStatus) != kSystemClockIsPll1) {
  }
}

// USART3 on PD8 and PD9, which lead to the ST-LINK.
void StartSerial() {
  Register(kRccAhb4enr) |= kGpioDClock;
  Register(kRccApb1lenr) |= kUsart3Clock;
  WaitFor(kRccApb1lenr, kUsart3Clock);  // The clock runs once this can be read.

  Register(kGpioPull) |= kPullUp << 2 * kRxPin;
  Register(kGpioAlternateHigh) = (Register(kGpioAlternateHigh) & ~0xFFu) |
                                 kAlternateUsart3 << 4 * (kTxPin - 8) |
                                 kAlternateUsart3 << 4 * (kRxPin - 8);
  Register(kGpioMode) = (Register(kGpioMode) & ~(3u << 2 * kTxPin | 3u << 2 * kRxPin)) |
                        kModeAlternate << 2 * kTxPin | kModeAlternate << 2 * kRxPin;

  kUsart3.Start(kApb1Hz, kBaud, Stm32Usart::kFifo);
}

}  // namespace

const char kName[] = "nucleo_h743zi";

void Start() {
  StartClock();
  StartCaches();
  StartSerial();
}

uint32_t ClockHz() { return kClockHz; }

int ReadByte() { return kUsart3.Read(); }

void WriteByte(uint8_t byte) { kUsart3.Write(byte); }

}  // namespace board
}  // namespace tinyseg
