// Silicon Labs xG24 Dev Kit (BRD2601B, EFR32MG24B310F1536IM48): Cortex-M33 at 78 MHz.
//
// Chapters are those of the EFR32xG24 Reference Manual. The processor starts in the secure state,
// in which peripherals are at their secure addresses.
#include "core/board.h"

#include "boards/common/cortex_m.h"

namespace tinyseg {
namespace board {
namespace {

// CMU - Clock Management Unit.
constexpr uintptr_t kCmu = 0x40008000;
constexpr uintptr_t kCmuClken0 = kCmu + 0x064;
constexpr uint32_t kUsart0Clock = 1u << 9;
constexpr uint32_t kDpll0Clock = 1u << 17;
constexpr uint32_t kHfrco0Clock = 1u << 18;
constexpr uint32_t kHfxo0Clock = 1u << 20;
constexpr uint32_t kGpioClock = 1u << 26;
constexpr uintptr_t kCmuClken1 = kCmu + 0x068;
constexpr uint32_t kMscClock = 1u << 16;
constexpr uintptr_t kCmuSysclkctrl = kCmu + 0x070;
constexpr uint32_t kFromFsrco = 1u << 0;
constexpr uint32_t kFromHfrcoDpll = 2u << 0;
constexpr uint32_t kPeripheralsHalf = 1u << 10;
constexpr uint32_t kRadioHalf = 1u << 16;
constexpr uintptr_t kCmuDpllrefclkctrl = kCmu + 0x100;
constexpr uint32_t kReferenceHfxo = 1u << 0;

// HFXO - High Frequency Crystal Oscillator.
constexpr uintptr_t kHfxo = 0x4A004000;
constexpr uintptr_t kHfxoXtalctrl = kHfxo + 0x18;
constexpr uint32_t kCtuneMask = 0xFFFFu << 8;
constexpr uint32_t kCtuneXiShift = 8;
constexpr uint32_t kCtuneXoShift = 16;
constexpr uintptr_t kHfxoCtrl = kHfxo + 0x28;
constexpr uint32_t kHfxoForce = 1u << 16;
constexpr uint32_t kHfxoOffOnDemand = 1u << 24;
constexpr uintptr_t kHfxoStatus = kHfxo + 0x58;
constexpr uint32_t kHfxoReady = 1u << 16 | 1u << 1 | 1u << 0;  // Enabled, bias found, ready.

// HFRCO - High Frequency RC Oscillator: all of the 80 MHz band but its tuning, which is in DEVINFO.
constexpr uintptr_t kHfrco = 0x40010000;
constexpr uintptr_t kHfrcoCal = kHfrco + 0x08;
constexpr uint32_t kBand80Mhz =
    0xCu << 28 | 3u << 26 | 7u << 21 | 16u << 16 | 1u << 15 | 0x1Fu << 8;
constexpr uintptr_t kHfrcoStatus = kHfrco + 0x0C;
constexpr uint32_t kHfrcoBusy = 1u << 2 | 1u << 1;
constexpr uintptr_t kDevinfoHfrcodpllcal80Mhz = 0x0FE08098;
constexpr uint32_t kTuningMask = 0x7F;

// DPLL - Digital Phase Locked Loop.
constexpr uintptr_t kDpll = 0x4001C000;
constexpr uintptr_t kDpllEn = kDpll + 0x04;
constexpr uintptr_t kDpllCfg = kDpll + 0x08;
constexpr uint32_t kLockPhase = 1u << 0;
constexpr uint32_t kAutoRecover = 1u << 2;
constexpr uintptr_t kDpllCfg1 = kDpll + 0x0C;
constexpr uint32_t kDpllNShift = 16;
constexpr uintptr_t kDpllIf = kDpll + 0x10;
constexpr uint32_t kLocked = 1u << 0;

// MSC - Memory System Controller: one wait state above 40 MHz.
constexpr uintptr_t kMsc = 0x40030000;
constexpr uintptr_t kMscReadctrl = kMsc + 0x04;
constexpr uint32_t kOneWaitState = 1u << 20;
constexpr uintptr_t kMscLock = kMsc + 0x3C;
constexpr uint32_t kMscUnlock = 0x1B71;

// GPIO - General Purpose Input/Output.
constexpr uintptr_t kGpio = 0x4003C000;
constexpr uintptr_t kPortAModel = kGpio + 0x030 + 0x04;
constexpr uint32_t kModeInputPullFilter = 3;
constexpr uint32_t kModePushPull = 4;
constexpr uintptr_t kPortADout = kGpio + 0x030 + 0x10;
constexpr uintptr_t kUsart0Routeen = kGpio + 0x720;
constexpr uint32_t kRouteRx = 1u << 2;
constexpr uint32_t kRouteTx = 1u << 4;
constexpr uintptr_t kUsart0Rxroute = kGpio + 0x730;
constexpr uintptr_t kUsart0Txroute = kGpio + 0x738;
constexpr uint32_t kRoutePinShift = 16;  // Below it, port A is 0.

// USART - Universal Synchronous Asynchronous Receiver/Transmitter.
constexpr uintptr_t kUsart0 = 0x4005C000;
constexpr uintptr_t kUsartEn = kUsart0 + 0x04;
constexpr uintptr_t kUsartCtrl = kUsart0 + 0x08;
constexpr uintptr_t kUsartFrame = kUsart0 + 0x0C;
constexpr uint32_t kFrame8N1 = 1u << 12 | 5u << 0;
constexpr uintptr_t kUsartCmd = kUsart0 + 0x14;
constexpr uint32_t kReceiveOn = 1u << 0;
constexpr uint32_t kTransmitOn = 1u << 2;
constexpr uintptr_t kUsartStatus = kUsart0 + 0x18;
constexpr uint32_t kTransmitHasRoom = 1u << 6;
constexpr uint32_t kReceiveHasData = 1u << 7;
constexpr uintptr_t kUsartClkdiv = kUsart0 + 0x1C;
constexpr uintptr_t kUsartRxdata = kUsart0 + 0x24;
constexpr uintptr_t kUsartTxdata = kUsart0 + 0x3C;

// The crystal's 39 MHz, times 3840, by 1920.
constexpr uint32_t kHfxoHz = 39000000;
constexpr uint32_t kDpllN = 3839;
constexpr uint32_t kDpllM = 1919;
constexpr uint32_t kClockHz = uint64_t{kHfxoHz} * (kDpllN + 1) / (kDpllM + 1);
static_assert(kClockHz == 78000000, "highest clock of the chip");
// Load for the kit's crystal; the difference makes up for the chip's own, unequal load.
constexpr uint32_t kCtuneXi = 140;
constexpr uint32_t kCtuneXo = kCtuneXi + 40;
// PA05 and PA06 lead to the debugger's virtual serial port, which starts at this speed.
constexpr uint32_t kTxPin = 5;
constexpr uint32_t kRxPin = 6;
constexpr uint32_t kBaud = 115200;
constexpr uint32_t kPeripheralHz = kClockHz / 2;

void WaitFor(uintptr_t address, uint32_t bits) {
  while ((Register(address) & bits) != bits) {
  }
}

void StartCrystal() {
  Register(kHfxoXtalctrl) = (Register(kHfxoXtalctrl) & ~kCtuneMask) | kCtuneXi << kCtuneXiShift |
                            kCtuneXo << kCtuneXoShift;
  Register(kHfxoCtrl) = (Register(kHfxoCtrl) & ~kHfxoOffOnDemand) | kHfxoForce;
  WaitFor(kHfxoStatus, kHfxoReady);
}

// Runs the RC oscillator at twice the crystal's frequency. Meanwhile the processor is on FSRCO, as
// after reset, for the oscillator may overshoot.
void StartClock() {
  Register(kCmuClken0) |= kHfxo0Clock | kHfrco0Clock | kDpll0Clock;
  Register(kCmuClken1) |= kMscClock;
  Register(kCmuSysclkctrl) = kFromFsrco | kPeripheralsHalf | kRadioHalf;
  StartCrystal();

  while ((Register(kHfrcoStatus) & kHfrcoBusy) != 0) {
  }
  Register(kHfrcoCal) = kBand80Mhz | (Register(kDevinfoHfrcodpllcal80Mhz) & kTuningMask);
  Register(kCmuDpllrefclkctrl) = kReferenceHfxo;
  Register(kDpllCfg1) = kDpllN << kDpllNShift | kDpllM;
  Register(kDpllCfg) = kLockPhase | kAutoRecover;
  Register(kDpllEn) = 1;
  WaitFor(kDpllIf, kLocked);

  Register(kMscLock) = kMscUnlock;
  Register(kMscReadctrl) = kOneWaitState;
  Register(kMscLock) = 0;
  Register(kCmuSysclkctrl) = kFromHfrcoDpll | kPeripheralsHalf | kRadioHalf;
}

void StartSerial() {
  Register(kCmuClken0) |= kGpioClock | kUsart0Clock;
  // Both high: the line idles, and the input is pulled up.
  Register(kPortADout) |= 1u << kTxPin | 1u << kRxPin;
  Register(kPortAModel) = (Register(kPortAModel) & ~(0xFu << 4 * kTxPin | 0xFu << 4 * kRxPin)) |
                          kModePushPull << 4 * kTxPin | kModeInputPullFilter << 4 * kRxPin;

  Register(kUsartEn) = 1;
  Register(kUsartCtrl) = 0;  // Asynchronous, 16 samples a bit.
  Register(kUsartFrame) = kFrame8N1;
  // In units of 1/256, of which the lowest three bits do not count.
  Register(kUsartClkdiv) = (kPeripheralHz * 16u / kBaud - 256) & ~7u;
  Register(kUsart0Rxroute) = kRxPin << kRoutePinShift;
  Register(kUsart0Txroute) = kTxPin << kRoutePinShift;
  Register(kUsart0Routeen) = kRouteRx | kRouteTx;
  Register(kUsartCmd) = kReceiveOn | kTransmitOn;
}

}  // namespace

const char kName[] = "xg24_dk";

void Start() {
  StartClock();
  StartSerial();
}

uint32_t ClockHz() { return kClockHz; }

int ReadByte() {
  if ((Register(kUsartStatus) & kReceiveHasData) == 0) return -1;
  return static_cast<int>(Register(kUsartRxdata) & 0xFF);
}

void WriteByte(uint8_t byte) {
  WaitFor(kUsartStatus, kTransmitHasRoom);
  Register(kUsartTxdata) = byte;
}

}  // namespace board
}  // namespace tinyseg
