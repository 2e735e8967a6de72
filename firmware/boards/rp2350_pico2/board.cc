// Raspberry Pi Pico 2 (RP2350): Cortex-M33 at 150 MHz. Its serial port is UART0 on GP0 and GP1, to
// be connected to a Debug Probe or a USB adapter. Flash is read as the boot ROM has set it up.
#include "core/board.h"

#include "boards/common/rp2.h"

namespace tinyseg {
namespace board {
namespace {

// RP2350 datasheet, Address map, Subsystem resets, Clocks.
constexpr Rp2Registers kRegisters = {
    /*reset=*/0x40020000,
    /*io_bank0=*/1u << 6,
    /*pads_bank0=*/1u << 9,
    /*pll_sys=*/1u << 14,
    /*uart0=*/1u << 26,
    /*clocks=*/0x40010000,
    /*resuscitate_control=*/0x40010084,
    /*crystal=*/0x40048000,
    /*pll=*/0x40050000,
    /*io=*/0x40028000,
    /*pads=*/0x40038000,
    /*uart=*/0x40070000,
};
constexpr uintptr_t kRefDivider = kRegisters.clocks + 0x34;
constexpr uintptr_t kSysDivider = kRegisters.clocks + 0x40;
constexpr uintptr_t kPeripheralDivider = kRegisters.clocks + 0x4C;
constexpr uint32_t kUndivided = 1u << 16;
constexpr Rp2::Clock kClock = {125, 5, 2};
static_assert(kClock.Hz() == 150000000, "highest clock of the chip");
constexpr Rp2 kChip(kRegisters, kClock);
constexpr uint32_t kBaud = 921600;

}  // namespace

const char kName[] = "rp2350_pico2";

void Start() {
  // The boot ROM runs before, and may leave them as it wants.
  Register(kRefDivider) = kUndivided;
  Register(kSysDivider) = kUndivided;
  Register(kPeripheralDivider) = kUndivided;
  kChip.Start(kBaud);
}

uint32_t ClockHz() { return kClock.Hz(); }

int ReadByte() { return kChip.Read(); }

void WriteByte(uint8_t byte) { kChip.Write(byte); }

}  // namespace board
}  // namespace tinyseg
