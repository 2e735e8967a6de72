// The USART of STM32F7 and STM32H7 (ST RM0385 and RM0433, Universal synchronous asynchronous
// receiver transmitter).
#ifndef TINYSEG_BOARDS_COMMON_STM32_USART_H_
#define TINYSEG_BOARDS_COMMON_STM32_USART_H_

#include "boards/common/cortex_m.h"

namespace tinyseg {

class Stm32Usart {
 public:
  static constexpr uint32_t kFifo = 1u << 29;  // The STM32H7 has one.

  explicit constexpr Stm32Usart(uintptr_t base) : base_(base) {}

  // Sets the speed and turns the port on. The mode is kFifo or 0.
  void Start(uint32_t clock_hz, uint32_t baud, uint32_t mode) const {
    Register(base_ + kBrr) = (clock_hz + baud / 2) / baud;
    Register(base_ + kCr1) = mode;  // Possible only while it is off.
    Register(base_ + kCr1) = mode | kReceive | kTransmit | kOn;
  }

  int Read() const {
    const uint32_t state = Register(base_ + kIsr);
    if ((state & kOverrun) != 0)
      Register(base_ + kIcr) = kOverrun;  // Else reception stays stopped.
    if ((state & kReceiveNotEmpty) == 0) return -1;
    return static_cast<int>(Register(base_ + kRdr) & 0xFF);
  }

  void Write(uint8_t byte) const {
    while ((Register(base_ + kIsr) & kTransmitNotFull) == 0) {
    }
    Register(base_ + kTdr) = byte;
  }

 private:
  static constexpr uintptr_t kCr1 = 0x00;
  static constexpr uint32_t kOn = 1u << 0;
  static constexpr uint32_t kReceive = 1u << 2;
  static constexpr uint32_t kTransmit = 1u << 3;
  static constexpr uintptr_t kBrr = 0x0C;
  static constexpr uintptr_t kIsr = 0x1C;
  static constexpr uint32_t kOverrun = 1u << 3;
  static constexpr uint32_t kReceiveNotEmpty = 1u << 5;
  static constexpr uint32_t kTransmitNotFull = 1u << 7;
  static constexpr uintptr_t kIcr = 0x20;
  static constexpr uintptr_t kRdr = 0x24;
  static constexpr uintptr_t kTdr = 0x28;

  uintptr_t base_;
};

}  // namespace tinyseg

#endif  // TINYSEG_BOARDS_COMMON_STM32_USART_H_
