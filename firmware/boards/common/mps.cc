#include "boards/common/mps.h"

namespace tinyseg {
namespace board {

void Start() { kMps.uart.Start(kMps.clock_hz, kMps.baud); }
uint32_t ClockHz() { return kMps.clock_hz; }
int ReadByte() { return kMps.uart.Read(); }
void WriteByte(uint8_t byte) { kMps.uart.Write(byte); }

}  // namespace board
}  // namespace tinyseg
