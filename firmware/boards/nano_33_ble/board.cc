// Arduino Nano 33 BLE (nRF52840): Cortex-M4 at 64 MHz. Its serial port is on the pins TX and RX, to
// be connected to a USB adapter for 3.3 V; the board's USB is the boot loader's.
#include "core/board.h"

#include "boards/common/nrf52840.h"

namespace tinyseg {
namespace board {
namespace {

// TX is P1.03, RX is P1.10 (ArduinoCore-mbed, variants/ARDUINO_NANO33BLE/variant.cpp).
constexpr uint32_t kTxPin = Nrf52840::Pin(1, 3);
constexpr uint32_t kRxPin = Nrf52840::Pin(1, 10);

}  // namespace

const char kName[] = "nano_33_ble";

void Start() { Nrf52840::Start(kTxPin, kRxPin); }

uint32_t ClockHz() { return Nrf52840::kClockHz; }

int ReadByte() { return Nrf52840::Read(); }

void WriteByte(uint8_t byte) { Nrf52840::Write(byte); }

}  // namespace board
}  // namespace tinyseg
