// Arm MPS2 with FPGA image AN386 (Arm DAI 0386): Cortex-M4, as QEMU's mps2-an386.
#include "core/board.h"

#include "boards/common/cmsdk_uart.h"

namespace tinyseg {
namespace board {
namespace {

constexpr uint32_t kClockHz = 25000000;
constexpr CmsdkUart kUart(0x40004000);

}  // namespace

const char kName[] = "mps2_an386";

void Start() { kUart.Start(kClockHz, 115200); }
uint32_t ClockHz() { return kClockHz; }
int ReadByte() { return kUart.Read(); }
void WriteByte(uint8_t byte) { kUart.Write(byte); }

}  // namespace board
}  // namespace tinyseg
