// Arm's MPS2 and MPS3 boards, which differ in what an FPGA image sets: clock and UART address.
#ifndef TINYSEG_BOARDS_COMMON_MPS_H_
#define TINYSEG_BOARDS_COMMON_MPS_H_

#include "boards/common/cmsdk_uart.h"
#include "core/board.h"

namespace tinyseg {
namespace board {

struct Mps {
  uint32_t clock_hz;
  uint32_t baud;
  CmsdkUart uart;
};

// Each board.cc defines it; mps.cc does the rest.
extern const Mps kMps;

}  // namespace board
}  // namespace tinyseg

#endif  // TINYSEG_BOARDS_COMMON_MPS_H_
