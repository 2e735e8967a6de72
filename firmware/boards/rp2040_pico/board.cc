// Raspberry Pi Pico (RP2040): Cortex-M0+ at 125 MHz. Its serial port is UART0 on GP0 and GP1, to
// be connected to a Debug Probe or a USB adapter.
#include "core/board.h"

#include "boards/common/rp2.h"

namespace tinyseg {
namespace board {
namespace {

// RP2040 datasheet, Address map, Subsystem resets, Clocks.
constexpr Rp2Registers kRegisters = {
    /*reset=*/0x4000C000,
    /*io_bank0=*/1u << 5,
    /*pads_bank0=*/1u << 8,
    /*pll_sys=*/1u << 12,
    /*uart0=*/1u << 22,
    /*clocks=*/0x40008000,
    /*resuscitate_control=*/0x40008078,
    /*crystal=*/0x40024000,
    /*pll=*/0x40028000,
    /*io=*/0x40014000,
    /*pads=*/0x4001C000,
    /*uart=*/0x40034000,
};
constexpr Rp2::Clock kClock = {125, 6, 2};
static_assert(kClock.Hz() == 125000000, "what the flash is set up for");
constexpr Rp2 kChip(kRegisters, kClock);
constexpr uint32_t kBaud = 921600;

}  // namespace

const char kName[] = "rp2040_pico";

void Start() { kChip.Start(kBaud); }

uint32_t ClockHz() { return kClock.Hz(); }

int ReadByte() { return kChip.Read(); }

void WriteByte(uint8_t byte) { kChip.Write(byte); }

}  // namespace board
}  // namespace tinyseg
