// The UART of Arm's CMSDK, on all MPS2 and MPS3 images (Arm DDI 0479, section 4.3).
#ifndef TINYSEG_BOARDS_COMMON_CMSDK_UART_H_
#define TINYSEG_BOARDS_COMMON_CMSDK_UART_H_

#include "boards/common/cortex_m.h"

namespace tinyseg {

class CmsdkUart {
 public:
  explicit constexpr CmsdkUart(uintptr_t base) : base_(base) {}

  // Sets the speed; the divider is 16 at least.
  void Start(uint32_t clock_hz, uint32_t baud) const {
    const uint32_t divider = clock_hz / baud;
    Register(base_ + kDivider) = divider < 16 ? 16 : divider;
    Register(base_ + kControl) = 3;  // Transmit and receive, no interrupts.
  }

  int Read() const {
    if ((Register(base_ + kState) & 2) == 0) return -1;
    return static_cast<int>(Register(base_ + kData) & 0xFF);
  }

  void Write(uint8_t byte) const {
    while ((Register(base_ + kState) & 1) != 0) {
    }
    Register(base_ + kData) = byte;
  }

 private:
  static constexpr uintptr_t kData = 0x00;
  static constexpr uintptr_t kState = 0x04;
  static constexpr uintptr_t kControl = 0x08;
  static constexpr uintptr_t kDivider = 0x10;

  uintptr_t base_;
};

}  // namespace tinyseg

#endif  // TINYSEG_BOARDS_COMMON_CMSDK_UART_H_
