// Arm MPS3 with FPGA image AN547 (Arm DAI 0547): Cortex-M55, as QEMU's mps3-an547.
#include "core/board.h"

#include "boards/common/cmsdk_uart.h"

namespace tinyseg {
namespace board {
namespace {

constexpr uint32_t kClockHz = 32000000;
constexpr CmsdkUart kUart(0x59303000);

}  // namespace

const char kName[] = "mps3_an547";

void Start() { kUart.Start(kClockHz, 115200); }
uint32_t ClockHz() { return kClockHz; }
int ReadByte() { return kUart.Read(); }
void WriteByte(uint8_t byte) { kUart.Write(byte); }

}  // namespace board
}  // namespace tinyseg
