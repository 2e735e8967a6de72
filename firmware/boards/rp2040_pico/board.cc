// Raspberry Pi Pico (RP2040): Cortex-M0+ at 125 MHz. Its serial port is UART0 on GP0 and GP1, to
// be connected to a Debug Probe or a USB adapter.
//
// Chapters are those of the RP2040 datasheet.
#include "core/board.h"

#include "boards/common/cortex_m.h"

namespace tinyseg {
namespace board {
namespace {

// Subsystem resets.
constexpr uintptr_t kReset = 0x4000C000;
constexpr uintptr_t kResetDone = kReset + 0x8;
constexpr uint32_t kIoBank0 = 1u << 5;
constexpr uint32_t kPadsBank0 = 1u << 8;
constexpr uint32_t kPllSys = 1u << 12;
constexpr uint32_t kUart0Block = 1u << 22;

// Clocks.
constexpr uintptr_t kClocks = 0x40008000;
constexpr uintptr_t kRefControl = kClocks + 0x30;
constexpr uint32_t kRefFromCrystal = 2;
constexpr uintptr_t kRefSelected = kClocks + 0x38;
constexpr uintptr_t kSysControl = kClocks + 0x3C;
constexpr uint32_t kSysFromRef = 0;
constexpr uint32_t kSysFromPll = 1;  // SRC: auxiliary source; AUXSRC 0: PLL_SYS.
constexpr uintptr_t kSysSelected = kClocks + 0x44;
constexpr uintptr_t kPeripheralControl = kClocks + 0x48;
constexpr uint32_t kPeripheralFromSys = 1u << 11;  // ENABLE; AUXSRC 0: clk_sys.
constexpr uintptr_t kResuscitateControl = kClocks + 0x78;

// Crystal oscillator (XOSC).
constexpr uintptr_t kCrystalControl = 0x40024000;
constexpr uint32_t kCrystal1To15Mhz = 0xAA0;
constexpr uint32_t kCrystalOn = 0xFABu << 12;
constexpr uintptr_t kCrystalStatus = 0x40024004;
constexpr uint32_t kCrystalStable = 1u << 31;
constexpr uintptr_t kCrystalStartup = 0x4002400C;

// PLL.
constexpr uintptr_t kPll = 0x40028000;
constexpr uintptr_t kPllStatus = kPll + 0x0;
constexpr uint32_t kPllLocked = 1u << 31;
constexpr uintptr_t kPllPowerDown = kPll + 0x4;
constexpr uint32_t kModulatorDown = 1u << 2;  // The multiplier is whole: it is never needed.
constexpr uint32_t kDividerDown = 1u << 3;
constexpr uintptr_t kPllMultiplier = kPll + 0x8;
constexpr uintptr_t kPllDivider = kPll + 0xC;

// GPIO.
constexpr uintptr_t kGpio0Control = 0x40014004;
constexpr uintptr_t kGpio1Control = 0x4001400C;
constexpr uint32_t kFunctionUart = 2;
constexpr uintptr_t kPad1 = 0x4001C008;
constexpr uint32_t kPadPulledUpInput = 1u << 6 | 1u << 4 | 1u << 3 | 1u << 1;

// UART.
constexpr uintptr_t kUart = 0x40034000;
constexpr uintptr_t kUartData = kUart + 0x00;
constexpr uintptr_t kUartFlags = kUart + 0x18;
constexpr uint32_t kReceiveEmpty = 1u << 4;
constexpr uint32_t kTransmitFull = 1u << 5;
constexpr uintptr_t kUartDivider = kUart + 0x24;
constexpr uintptr_t kUartFraction = kUart + 0x28;
constexpr uintptr_t kUartLine = kUart + 0x2C;
constexpr uint32_t kLine8N1Fifo = 3u << 5 | 1u << 4;
constexpr uintptr_t kUartControl = kUart + 0x30;
constexpr uint32_t kUartOn = 1u << 9 | 1u << 8 | 1u << 0;  // Receive, transmit, the whole.

// The crystal's 12 MHz, times 125, by 6, by 2.
constexpr uint32_t kCrystalHz = 12000000;
constexpr uint32_t kMultiplier = 125;
constexpr uint32_t kDivider1 = 6;
constexpr uint32_t kDivider2 = 2;
constexpr uint32_t kClockHz = kCrystalHz * kMultiplier / kDivider1 / kDivider2;
// Six milliseconds, in units of 256 periods, for crystals that start slowly.
constexpr uint32_t kCrystalDelay = 6 * (kCrystalHz / 1000) / 256;
constexpr uint32_t kBaud = 921600;
// The UART takes 16 clock ticks a bit, and counts them in 64ths.
constexpr uint32_t kUartTicks64 = (kClockHz / 16 * 64 + kBaud / 2) / kBaud;

void WaitFor(uintptr_t address, uint32_t bits) {
  while ((Register(address) & bits) != bits) {
  }
}

// Which source a clock runs from is told with one bit each, once it does.
void SelectSource(uintptr_t control, uintptr_t selected, uint32_t source) {
  Register(control) = source;
  WaitFor(selected, 1u << source);
}

void LeaveReset(uint32_t blocks) {
  Register(kReset) &= ~blocks;
  WaitFor(kResetDone, blocks);
}

void StartClock() {
  Register(kResuscitateControl) = 0;
  Register(kCrystalControl) = kCrystal1To15Mhz;
  Register(kCrystalStartup) = kCrystalDelay;
  Register(kCrystalControl) = kCrystalOn | kCrystal1To15Mhz;
  WaitFor(kCrystalStatus, kCrystalStable);

  // When only the processor was reset, the PLL still runs, and the clock may come from it.
  SelectSource(kSysControl, kSysSelected, kSysFromRef);
  SelectSource(kRefControl, kRefSelected, kRefFromCrystal);
  Register(kReset) |= kPllSys;
  LeaveReset(kPllSys);
  Register(kPllStatus) = 1;  // The crystal's frequency by one.
  Register(kPllMultiplier) = kMultiplier;
  Register(kPllPowerDown) = kModulatorDown | kDividerDown;
  WaitFor(kPllStatus, kPllLocked);
  Register(kPllDivider) = kDivider1 << 16 | kDivider2 << 12;
  Register(kPllPowerDown) = kModulatorDown;

  SelectSource(kSysControl, kSysSelected, kSysFromPll);
  Register(kPeripheralControl) = kPeripheralFromSys;
}

void StartSerial() {
  Register(kReset) |= kUart0Block;
  LeaveReset(kIoBank0 | kPadsBank0 | kUart0Block);
  Register(kPad1) = kPadPulledUpInput;  // An open input reads as an idle line.
  Register(kGpio0Control) = kFunctionUart;
  Register(kGpio1Control) = kFunctionUart;
  Register(kUartDivider) = kUartTicks64 / 64;
  Register(kUartFraction) = kUartTicks64 % 64;
  Register(kUartLine) = kLine8N1Fifo;  // It also takes the divider over.
  Register(kUartControl) = kUartOn;
}

}  // namespace

const char kName[] = "rp2040_pico";

void Start() {
  StartClock();
  StartSerial();
}

uint32_t ClockHz() { return kClockHz; }

int ReadByte() {
  if ((Register(kUartFlags) & kReceiveEmpty) != 0) return -1;
  return static_cast<int>(Register(kUartData) & 0xFF);
}

void WriteByte(uint8_t byte) {
  while ((Register(kUartFlags) & kTransmitFull) != 0) {
  }
  Register(kUartData) = byte;
}

}  // namespace board
}  // namespace tinyseg
