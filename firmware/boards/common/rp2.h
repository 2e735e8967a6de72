// The RP2040 and the RP2350: clocks from the crystal of 12 MHz, and UART0 on GP0 and GP1.
//
// Chapters are those of the RP2040 datasheet; the RP2350's have the same names. What differs
// between the two is where registers lie and which bits are whose.
#ifndef TINYSEG_BOARDS_COMMON_RP2_H_
#define TINYSEG_BOARDS_COMMON_RP2_H_

#include "boards/common/cortex_m.h"

namespace tinyseg {

struct Rp2Registers {
  // Subsystem resets.
  uintptr_t reset;
  uint32_t io_bank0;
  uint32_t pads_bank0;
  uint32_t pll_sys;
  uint32_t uart0;
  // Clocks.
  uintptr_t clocks;
  uintptr_t resuscitate_control;
  // Crystal oscillator, PLL of the system, IO and pads of bank 0, UART0.
  uintptr_t crystal;
  uintptr_t pll;
  uintptr_t io;
  uintptr_t pads;
  uintptr_t uart;
};

class Rp2 {
 public:
  // The crystal's frequency, by a multiplier and two dividers.
  struct Clock {
    uint32_t multiplier;
    uint32_t divider1;
    uint32_t divider2;

    constexpr uint32_t Hz() const { return kCrystalHz * multiplier / divider1 / divider2; }
  };

  constexpr Rp2(const Rp2Registers& registers, const Clock& clock)
      : at_(registers), clock_(clock) {}

  void Start(uint32_t baud) const {
    StartClock();
    StartSerial(baud);
  }

  int Read() const {
    if ((Register(at_.uart + kUartFlags) & kReceiveEmpty) != 0) return -1;
    return static_cast<int>(Register(at_.uart + kUartData) & 0xFF);
  }

  void Write(uint8_t byte) const {
    while ((Register(at_.uart + kUartFlags) & kTransmitFull) != 0) {
    }
    Register(at_.uart + kUartData) = byte;
  }

 private:
  // Subsystem resets.
  static constexpr uintptr_t kResetDone = 0x8;

  // Clocks.
  static constexpr uintptr_t kRefControl = 0x30;
  static constexpr uint32_t kRefFromCrystal = 2;
  static constexpr uintptr_t kRefSelected = 0x38;
  static constexpr uintptr_t kSysControl = 0x3C;
  static constexpr uint32_t kSysFromRef = 0;
  static constexpr uint32_t kSysFromAuxiliary = 1;
  static constexpr uintptr_t kSysSelected = 0x44;
  static constexpr uint32_t kSource = 3u << 0;     // SRC.
  static constexpr uint32_t kAuxiliary = 7u << 5;  // AUXSRC; 0 is PLL_SYS.
  static constexpr uintptr_t kPeripheralControl = 0x48;
  static constexpr uint32_t kPeripheralFromSys = 1u << 11;  // ENABLE; AUXSRC 0: clk_sys.

  // Crystal oscillator (XOSC).
  static constexpr uintptr_t kCrystalControl = 0x0;
  static constexpr uint32_t kCrystal1To15Mhz = 0xAA0;
  static constexpr uint32_t kCrystalOn = 0xFABu << 12;
  static constexpr uintptr_t kCrystalStatus = 0x4;
  static constexpr uint32_t kCrystalStable = 1u << 31;
  static constexpr uintptr_t kCrystalStartup = 0xC;
  static constexpr uint32_t kCrystalHz = 12000000;
  // Six milliseconds, in units of 256 periods, for crystals that start slowly.
  static constexpr uint32_t kCrystalDelay = 6 * (kCrystalHz / 1000) / 256;

  // PLL.
  static constexpr uintptr_t kPllStatus = 0x0;
  static constexpr uint32_t kPllLocked = 1u << 31;
  static constexpr uintptr_t kPllPowerDown = 0x4;
  static constexpr uint32_t kModulatorDown = 1u << 2;  // The multiplier is whole: never needed.
  static constexpr uint32_t kDividerDown = 1u << 3;
  static constexpr uintptr_t kPllMultiplier = 0x8;
  static constexpr uintptr_t kPllDivider = 0xC;

  // GPIO.
  static constexpr uintptr_t kGpio0Control = 0x04;
  static constexpr uintptr_t kGpio1Control = 0x0C;
  static constexpr uint32_t kFunctionUart = 2;
  static constexpr uintptr_t kPad0 = 0x4;
  static constexpr uintptr_t kPad1 = 0x8;
  // 4 mA and a Schmitt trigger. Zeros also end the isolation of the RP2350's pads.
  static constexpr uint32_t kPad = 1u << 6 | 1u << 4 | 1u << 1;
  static constexpr uint32_t kPadPullUp = 1u << 3;

  // UART.
  static constexpr uintptr_t kUartData = 0x00;
  static constexpr uintptr_t kUartFlags = 0x18;
  static constexpr uint32_t kReceiveEmpty = 1u << 4;
  static constexpr uint32_t kTransmitFull = 1u << 5;
  static constexpr uintptr_t kUartDivider = 0x24;
  static constexpr uintptr_t kUartFraction = 0x28;
  static constexpr uintptr_t kUartLine = 0x2C;
  static constexpr uint32_t kLine8N1Fifo = 3u << 5 | 1u << 4;
  static constexpr uintptr_t kUartControl = 0x30;
  static constexpr uint32_t kUartOn = 1u << 9 | 1u << 8 | 1u << 0;  // Receive, transmit, the whole.

  static void WaitFor(uintptr_t address, uint32_t bits) {
    while ((Register(address) & bits) != bits) {
    }
  }

  // Which source a clock runs from is told with one bit each, once it does.
  void SelectSource(uintptr_t control, uintptr_t selected, uint32_t source) const {
    Register(at_.clocks + control) = (Register(at_.clocks + control) & ~kSource) | source;
    WaitFor(at_.clocks + selected, 1u << source);
  }

  void LeaveReset(uint32_t blocks) const {
    Register(at_.reset) &= ~blocks;
    WaitFor(at_.reset + kResetDone, blocks);
  }

  void StartClock() const {
    Register(at_.resuscitate_control) = 0;
    Register(at_.crystal + kCrystalControl) = kCrystal1To15Mhz;
    Register(at_.crystal + kCrystalStartup) = kCrystalDelay;
    Register(at_.crystal + kCrystalControl) = kCrystalOn | kCrystal1To15Mhz;
    WaitFor(at_.crystal + kCrystalStatus, kCrystalStable);

    // When only the processor was reset, the PLL still runs, and the clock may come from it.
    SelectSource(kSysControl, kSysSelected, kSysFromRef);
    SelectSource(kRefControl, kRefSelected, kRefFromCrystal);
    Register(at_.reset) |= at_.pll_sys;
    LeaveReset(at_.pll_sys);
    Register(at_.pll + kPllStatus) = 1;  // The crystal's frequency by one.
    Register(at_.pll + kPllMultiplier) = clock_.multiplier;
    Register(at_.pll + kPllPowerDown) = kModulatorDown | kDividerDown;
    WaitFor(at_.pll + kPllStatus, kPllLocked);
    Register(at_.pll + kPllDivider) = clock_.divider1 << 16 | clock_.divider2 << 12;
    Register(at_.pll + kPllPowerDown) = kModulatorDown;

    // The auxiliary source glitches when it changes: not while it is in use.
    Register(at_.clocks + kSysControl) &= ~kAuxiliary;
    SelectSource(kSysControl, kSysSelected, kSysFromAuxiliary);
    Register(at_.clocks + kPeripheralControl) = kPeripheralFromSys;
  }

  void StartSerial(uint32_t baud) const {
    Register(at_.reset) |= at_.uart0;
    LeaveReset(at_.io_bank0 | at_.pads_bank0 | at_.uart0);
    Register(at_.io + kGpio0Control) = kFunctionUart;
    Register(at_.io + kGpio1Control) = kFunctionUart;
    Register(at_.pads + kPad0) = kPad;
    Register(at_.pads + kPad1) = kPad | kPadPullUp;  // An open input reads as an idle line.
    // The UART takes 16 clock ticks a bit, and counts them in 64ths.
    const uint32_t ticks64 = (clock_.Hz() / 16 * 64 + baud / 2) / baud;
    Register(at_.uart + kUartDivider) = ticks64 / 64;
    Register(at_.uart + kUartFraction) = ticks64 % 64;
    Register(at_.uart + kUartLine) = kLine8N1Fifo;  // It also takes the divider over.
    Register(at_.uart + kUartControl) = kUartOn;
  }

  Rp2Registers at_;
  Clock clock_;
};

}  // namespace tinyseg

#endif  // TINYSEG_BOARDS_COMMON_RP2_H_
