// Nordic nRF52840 DK (PCA10056): Cortex-M4 at 64 MHz.
#include "core/board.h"

#include "boards/common/nrf52840.h"

namespace tinyseg {
namespace board {
namespace {

// P0.06 and P0.08 lead to the debugger's virtual serial port.
constexpr uint32_t kTxPin = Nrf52840::Pin(0, 6);
constexpr uint32_t kRxPin = Nrf52840::Pin(0, 8);

}  // namespace

const char kName[] = "nrf52840_dk";

void Start() { Nrf52840::Start(kTxPin, kRxPin); }

uint32_t ClockHz() { return Nrf52840::kClockHz; }

int ReadByte() { return Nrf52840::Read(); }

void WriteByte(uint8_t byte) { Nrf52840::Write(byte); }

}  // namespace board
}  // namespace tinyseg
