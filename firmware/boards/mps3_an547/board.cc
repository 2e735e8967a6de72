// Arm MPS3 with FPGA image AN547 (Arm DAI 0547): Cortex-M55, as QEMU's mps3-an547.
#include "boards/common/mps.h"

namespace tinyseg {
namespace board {
namespace {

constexpr uint32_t kClockHz = 32000000;

}  // namespace

const char kName[] = "mps3_an547";
const Mps kMps = {kClockHz, 115200, CmsdkUart(0x59303000)};

}  // namespace board
}  // namespace tinyseg
