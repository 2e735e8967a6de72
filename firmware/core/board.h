// What a board provides. boards/NAME/board.cc implements these functions.
#ifndef TINYSEG_CORE_BOARD_H_
#define TINYSEG_CORE_BOARD_H_

#include <cstdint>

namespace tinyseg {
namespace board {

// The name of the board's folder.
extern const char kName[];

// Sets clocks and the serial port up. Called once, first.
void Start();

// Frequency of the processor clock in Hz, after Start().
uint32_t ClockHz();

// Returns a received byte, or -1 if there is none. Never waits.
int ReadByte();

// Sends a byte; waits while the port is busy.
void WriteByte(uint8_t byte);

// Processor clock ticks since ResetTicks(). boards/common/ticks.cc implements both.
uint64_t Ticks();

// Starts counting at zero, always in the same phase, so that counts repeat exactly.
void ResetTicks();

}  // namespace board
}  // namespace tinyseg

#endif  // TINYSEG_CORE_BOARD_H_
