// Arm MPS2 with FPGA image AN505 (Arm DAI 0505): Cortex-M33, as QEMU's mps2-an505.
#include "boards/common/mps.h"

namespace tinyseg {
namespace board {
namespace {

constexpr uint32_t kClockHz = 20000000;

}  // namespace

const char kName[] = "mps2_an505";
const Mps kMps = {kClockHz, 115200, CmsdkUart(0x50200000)};

}  // namespace board
}  // namespace tinyseg
