// Nordic nRF52840 DK (PCA10056): Cortex-M4 at 64 MHz.
//
// Chapters are those of the nRF52840 Product Specification.
#include "core/board.h"

#include "boards/common/cortex_m.h"

namespace tinyseg {
namespace board {
namespace {

// CLOCK: Clock control.
constexpr uintptr_t kClock = 0x40000000;
constexpr uintptr_t kStartCrystal = kClock + 0x000;
constexpr uintptr_t kCrystalStarted = kClock + 0x100;

// Debug and trace: Access port protection, in chips of build code Fxx and later.
constexpr uintptr_t kApprotectDisable = 0x40000558;
constexpr uintptr_t kUicrApprotect = 0x10001208;
constexpr uint32_t kUnprotected = 0x5A;

// NVMC: Non-volatile memory controller.
constexpr uintptr_t kInstructionCache = 0x4001E540;
constexpr uint32_t kCacheOn = 1u << 0;

// GPIO: General purpose input/output.
constexpr uintptr_t kPort0 = 0x50000000;
constexpr uintptr_t kPortSet = kPort0 + 0x508;
constexpr uintptr_t kPinConfiguration = kPort0 + 0x700;
constexpr uint32_t kPinOutput = 1u << 1 | 1u << 0;  // Input buffer off, direction out.
constexpr uint32_t kPinPulledUpInput = 3u << 2;

// UART: Universal asynchronous receiver/transmitter.
constexpr uintptr_t kUart0 = 0x40002000;
constexpr uintptr_t kStartReceive = kUart0 + 0x000;
constexpr uintptr_t kStartTransmit = kUart0 + 0x008;
constexpr uintptr_t kReceived = kUart0 + 0x108;
constexpr uintptr_t kTransmitted = kUart0 + 0x11C;
constexpr uintptr_t kUartEnable = kUart0 + 0x500;
constexpr uint32_t kUartOn = 4;
constexpr uintptr_t kSelectTx = kUart0 + 0x50C;
constexpr uintptr_t kSelectRx = kUart0 + 0x514;
constexpr uintptr_t kReceiveData = kUart0 + 0x518;
constexpr uintptr_t kTransmitData = kUart0 + 0x51C;
constexpr uintptr_t kBaudRate = kUart0 + 0x524;
constexpr uint32_t kBaud115200 = 0x01D7E000;
constexpr uintptr_t kUartConfiguration = kUart0 + 0x56C;

constexpr uint32_t kClockHz = 64000000;
// P0.06 and P0.08 lead to the debugger's virtual serial port.
constexpr uint32_t kTxPin = 6;
constexpr uint32_t kRxPin = 8;

// Firmware has to confirm, after each reset, that a chip left open by its programmer stays open;
// else the debugger could not come back without erasing it.
void KeepDebugPortOpen() {
  if ((Register(kUicrApprotect) & 0xFF) == kUnprotected) Register(kApprotectDisable) = kUnprotected;
}

void StartClock() {
  Register(kInstructionCache) = kCacheOn;
  // The processor runs at 64 MHz from reset on; with the crystal its ticks are exact.
  Register(kCrystalStarted) = 0;
  Register(kStartCrystal) = 1;
  while (Register(kCrystalStarted) == 0) {
  }
}

void StartSerial() {
  Register(kPortSet) = 1u << kTxPin;  // Idle before the UART takes over.
  Register(kPinConfiguration + 4 * kTxPin) = kPinOutput;
  Register(kPinConfiguration + 4 * kRxPin) = kPinPulledUpInput;
  Register(kSelectTx) = kTxPin;
  Register(kSelectRx) = kRxPin;
  Register(kBaudRate) = kBaud115200;
  Register(kUartConfiguration) = 0;  // No parity, one stop bit, no flow control.
  Register(kUartEnable) = kUartOn;
  Register(kReceived) = 0;
  Register(kStartReceive) = 1;
  Register(kStartTransmit) = 1;
}

}  // namespace

const char kName[] = "nrf52840_dk";

void Start() {
  KeepDebugPortOpen();
  StartClock();
  StartSerial();
}

uint32_t ClockHz() { return kClockHz; }

int ReadByte() {
  if (Register(kReceived) == 0) return -1;
  Register(kReceived) = 0;  // Before reading: that makes room for the byte of the next event.
  return static_cast<int>(Register(kReceiveData) & 0xFF);
}

void WriteByte(uint8_t byte) {
  Register(kTransmitted) = 0;
  Register(kTransmitData) = byte;
  while (Register(kTransmitted) == 0) {
  }
}

}  // namespace board
}  // namespace tinyseg
