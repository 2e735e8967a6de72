// ST STM32F746G-DISCO: Cortex-M7 with caches, at 216 MHz.
//
// Chapters are those of RM0385, the reference manual of the STM32F746.
#include "core/board.h"

#include "boards/common/cortex_m.h"
#include "boards/common/cortex_m7_caches.h"
#include "boards/common/stm32_usart.h"

namespace tinyseg {
namespace board {
namespace {

// RM0385, Power controller (PWR).
constexpr uintptr_t kPwr = 0x40007000;
constexpr uintptr_t kPwrCr1 = kPwr + 0x00;
constexpr uint32_t kVoltageScale1 = 3u << 14;
constexpr uint32_t kOverDriveOn = 1u << 16;
constexpr uint32_t kOverDriveSwitch = 1u << 17;
constexpr uintptr_t kPwrCsr1 = kPwr + 0x04;
constexpr uint32_t kOverDriveReady = 1u << 16;
constexpr uint32_t kOverDriveSwitchReady = 1u << 17;

// RM0385, Reset and clock control (RCC).
constexpr uintptr_t kRcc = 0x40023800;
constexpr uintptr_t kRccCr = kRcc + 0x00;
constexpr uint32_t kHseOn = 1u << 16;
constexpr uint32_t kHseReady = 1u << 17;
constexpr uint32_t kPllOn = 1u << 24;
constexpr uint32_t kPllReady = 1u << 25;
constexpr uintptr_t kRccPllcfgr = kRcc + 0x04;
constexpr uint32_t kPllNShift = 6;
constexpr uint32_t kPllPShift = 16;
constexpr uint32_t kPllSourceHse = 1u << 22;
constexpr uint32_t kPllQShift = 24;
constexpr uintptr_t kRccCfgr = kRcc + 0x08;
constexpr uint32_t kSystemClockPll = 2u << 0;
constexpr uint32_t kSystemClockStatus = 3u << 2;
constexpr uint32_t kSystemClockIsPll = 2u << 2;
constexpr uint32_t kApb1Quarter = 5u << 10;
constexpr uint32_t kApb2Half = 4u << 13;
constexpr uintptr_t kRccAhb1enr = kRcc + 0x30;
constexpr uint32_t kGpioAClock = 1u << 0;
constexpr uint32_t kGpioBClock = 1u << 1;
constexpr uintptr_t kRccApb1enr = kRcc + 0x40;
constexpr uint32_t kPwrClock = 1u << 28;
constexpr uintptr_t kRccApb2enr = kRcc + 0x44;
constexpr uint32_t kUsart1Clock = 1u << 4;

// RM0385, Embedded flash memory: seven wait states for 210 to 216 MHz at 2.7 to 3.6 V.
constexpr uintptr_t kFlashAcr = 0x40023C00;
constexpr uint32_t kFlashTiming = 7u << 0;

// RM0385, General-purpose I/Os (GPIO).
constexpr uintptr_t kGpioA = 0x40020000;
constexpr uintptr_t kGpioB = 0x40020400;
constexpr uintptr_t kMode = 0x00;
constexpr uint32_t kModeAlternate = 2;
constexpr uintptr_t kPull = 0x0C;
constexpr uint32_t kPullUp = 1;
constexpr uintptr_t kAlternateLow = 0x20;
constexpr uintptr_t kAlternateHigh = 0x24;
constexpr uint32_t kAlternateUsart1 = 7;
constexpr uint32_t kTxPin = 9;  // Of port A.
constexpr uint32_t kRxPin = 7;  // Of port B.

// The board's clock of 25 MHz, by 25, times 432, by 2.
constexpr uint32_t kHseHz = 25000000;
constexpr uint32_t kPllM = 25;
constexpr uint32_t kPllN = 432;
constexpr uint32_t kPllP = 2;
constexpr uint32_t kPllQ = 9;  // For USB, which wants 48 MHz; unused.
constexpr uint32_t kClockHz = kHseHz / kPllM * kPllN / kPllP;
constexpr uint32_t kApb2Hz = kClockHz / 2;
constexpr uint32_t kBaud = 921600;
constexpr Stm32Usart kUsart1(0x40011000);

void WaitFor(uintptr_t address, uint32_t bits) {
  while ((Register(address) & bits) != bits) {
  }
}

// RM0385, Power controller, Over-drive mode: its order of steps. Any reset, a fault's too, starts
// with the internal oscillator and the PLL off.
void StartClock() {
  Register(kRccApb1enr) |= kPwrClock;
  WaitFor(kRccApb1enr, kPwrClock);
  Register(kPwrCr1) |= kVoltageScale1;

  Register(kRccCr) |= kHseOn;
  WaitFor(kRccCr, kHseReady);
  Register(kRccPllcfgr) = kPllM | kPllN << kPllNShift | (kPllP / 2 - 1) << kPllPShift |
                          kPllSourceHse | kPllQ << kPllQShift;
  Register(kRccCr) |= kPllOn;
  Register(kPwrCr1) |= kOverDriveOn;
  WaitFor(kPwrCsr1, kOverDriveReady);
  Register(kPwrCr1) |= kOverDriveSwitch;
  WaitFor(kPwrCsr1, kOverDriveSwitchReady);
  WaitFor(kRccCr, kPllReady);

  Register(kFlashAcr) = kFlashTiming;
  while (Register(kFlashAcr) != kFlashTiming) {
  }
  Register(kRccCfgr) = kApb1Quarter | kApb2Half;
  Register(kRccCfgr) = kApb1Quarter | kApb2Half | kSystemClockPll;
  while ((Register(kRccCfgr) & kSystemClockStatus) != kSystemClockIsPll) {
  }
}

void SetField(uintptr_t address, uint32_t width, uint32_t pin, uint32_t value) {
  const uint32_t mask = (1u << width) - 1;
  Register(address) = (Register(address) & ~(mask << width * pin)) | value << width * pin;
}

// USART1 on PA9 and PB7, which lead to the ST-LINK.
void StartSerial() {
  Register(kRccAhb1enr) |= kGpioAClock | kGpioBClock;
  Register(kRccApb2enr) |= kUsart1Clock;
  WaitFor(kRccApb2enr, kUsart1Clock);  // The clock runs once this can be read.

  SetField(kGpioA + kAlternateHigh, 4, kTxPin - 8, kAlternateUsart1);
  SetField(kGpioB + kAlternateLow, 4, kRxPin, kAlternateUsart1);
  SetField(kGpioB + kPull, 2, kRxPin, kPullUp);
  kUsart1.Start(kApb2Hz, kBaud, 0);
  SetField(kGpioA + kMode, 2, kTxPin, kModeAlternate);
  SetField(kGpioB + kMode, 2, kRxPin, kModeAlternate);
}

}  // namespace

const char kName[] = "stm32f746g_disco";

void Start() {
  StartClock();
  StartCaches();
  StartSerial();
}

uint32_t ClockHz() { return kClockHz; }

int ReadByte() { return kUsart1.Read(); }

void WriteByte(uint8_t byte) { kUsart1.Write(byte); }

}  // namespace board
}  // namespace tinyseg
