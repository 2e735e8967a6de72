// The nRF52840: clock, debug port, and a serial port on any two pins.
//
// Chapters are those of the nRF52840 Product Specification.
#ifndef TINYSEG_BOARDS_COMMON_NRF52840_H_
#define TINYSEG_BOARDS_COMMON_NRF52840_H_

#include "boards/common/cortex_m.h"

namespace tinyseg {

class Nrf52840 {
 public:
  static constexpr uint32_t kClockHz = 64000000;

  // A pin's number: 32 times its port, and its place there.
  static constexpr uint32_t Pin(uint32_t port, uint32_t place) { return 32 * port + place; }

  static void Start(uint32_t tx_pin, uint32_t rx_pin) {
    KeepDebugPortOpen();
    StartClock();
    StartSerial(tx_pin, rx_pin);
  }

  static int Read() {
    if (Register(kReceived) == 0) return -1;
    Register(kReceived) = 0;  // Before reading: that makes room for the byte of the next event.
    return static_cast<int>(Register(kReceiveData) & 0xFF);
  }

  static void Write(uint8_t byte) {
    Register(kTransmitted) = 0;
    Register(kTransmitData) = byte;
    while (Register(kTransmitted) == 0) {
    }
  }

 private:
  // CLOCK: Clock control.
  static constexpr uintptr_t kClock = 0x40000000;
  static constexpr uintptr_t kStartCrystal = kClock + 0x000;
  static constexpr uintptr_t kCrystalStarted = kClock + 0x100;

  // Debug and trace: Access port protection, in chips of build code Fxx and later.
  static constexpr uintptr_t kApprotectDisable = 0x40000558;
  static constexpr uintptr_t kUicrApprotect = 0x10001208;
  static constexpr uint32_t kUnprotected = 0x5A;

  // NVMC: Non-volatile memory controller.
  static constexpr uintptr_t kInstructionCache = 0x4001E540;
  static constexpr uint32_t kCacheOn = 1u << 0;

  // GPIO: General purpose input/output.
  static constexpr uintptr_t kPort0 = 0x50000000;
  static constexpr uintptr_t kPortSize = 0x300;
  static constexpr uintptr_t kPortSet = 0x508;
  static constexpr uintptr_t kPinConfiguration = 0x700;
  static constexpr uint32_t kPinOutput = 1u << 1 | 1u << 0;  // Input buffer off, direction out.
  static constexpr uint32_t kPinPulledUpInput = 3u << 2;

  // UART: Universal asynchronous receiver/transmitter.
  static constexpr uintptr_t kUart0 = 0x40002000;
  static constexpr uintptr_t kStartReceive = kUart0 + 0x000;
  static constexpr uintptr_t kStartTransmit = kUart0 + 0x008;
  static constexpr uintptr_t kReceived = kUart0 + 0x108;
  static constexpr uintptr_t kTransmitted = kUart0 + 0x11C;
  static constexpr uintptr_t kUartEnable = kUart0 + 0x500;
  static constexpr uint32_t kUartOn = 4;
  static constexpr uintptr_t kSelectTx = kUart0 + 0x50C;
  static constexpr uintptr_t kSelectRx = kUart0 + 0x514;
  static constexpr uintptr_t kReceiveData = kUart0 + 0x518;
  static constexpr uintptr_t kTransmitData = kUart0 + 0x51C;
  static constexpr uintptr_t kBaudRate = kUart0 + 0x524;
  static constexpr uint32_t kBaud115200 = 0x01D7E000;
  static constexpr uintptr_t kUartConfiguration = kUart0 + 0x56C;

  static uintptr_t Port(uint32_t pin) { return kPort0 + kPortSize * (pin / 32); }

  // Firmware has to confirm, after each reset, that a chip left open by its programmer stays open;
  // else the debugger could not come back without erasing it.
  static void KeepDebugPortOpen() {
    if ((Register(kUicrApprotect) & 0xFF) == kUnprotected) {
      Register(kApprotectDisable) = kUnprotected;
    }
  }

  static void StartClock() {
    Register(kInstructionCache) = kCacheOn;
    // The processor runs at 64 MHz from reset on; with the crystal its ticks are exact.
    Register(kCrystalStarted) = 0;
    Register(kStartCrystal) = 1;
    while (Register(kCrystalStarted) == 0) {
    }
  }

  static void StartSerial(uint32_t tx_pin, uint32_t rx_pin) {
    Register(Port(tx_pin) + kPortSet) = 1u << tx_pin % 32;  // Idle before the UART takes over.
    Register(Port(tx_pin) + kPinConfiguration + 4 * (tx_pin % 32)) = kPinOutput;
    Register(Port(rx_pin) + kPinConfiguration + 4 * (rx_pin % 32)) = kPinPulledUpInput;
    Register(kSelectTx) = tx_pin;
    Register(kSelectRx) = rx_pin;
    Register(kBaudRate) = kBaud115200;
    Register(kUartConfiguration) = 0;  // No parity, one stop bit, no flow control.
    Register(kUartEnable) = kUartOn;
    Register(kReceived) = 0;
    Register(kStartReceive) = 1;
    Register(kStartTransmit) = 1;
  }
};

}  // namespace tinyseg

#endif  // TINYSEG_BOARDS_COMMON_NRF52840_H_
