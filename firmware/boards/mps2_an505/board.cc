// Arm MPS2 with FPGA image AN505 (Arm DAI 0505): Cortex-M33, as QEMU's mps2-an505.
#include "core/board.h"

#include "boards/common/cmsdk_uart.h"

namespace tinyseg {
namespace board {
namespace {

constexpr uint32_t kClockHz = 20000000;
constexpr CmsdkUart kUart(0x50200000);

}  // namespace

const char kName[] = "mps2_an505";

void Start() { kUart.Start(kClockHz, 115200); }
uint32_t ClockHz() { return kClockHz; }
int ReadByte() { return kUart.Read(); }
void WriteByte(uint8_t byte) { kUart.Write(byte); }

}  // namespace board
}  // namespace tinyseg
