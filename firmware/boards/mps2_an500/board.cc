// Arm MPS2 with FPGA image AN500 (Arm DAI 0500): Cortex-M7, as QEMU's mps2-an500.
#include "boards/common/mps.h"

namespace tinyseg {
namespace board {
namespace {

constexpr uint32_t kClockHz = 25000000;

}  // namespace

const char kName[] = "mps2_an500";
const Mps kMps = {kClockHz, 115200, CmsdkUart(0x40004000)};

}  // namespace board
}  // namespace tinyseg
