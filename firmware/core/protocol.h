// Requests and replies. docs/firmware.md tells the layout of each body.
#ifndef TINYSEG_CORE_PROTOCOL_H_
#define TINYSEG_CORE_PROTOCOL_H_

#include <cstdint>

namespace tinyseg {

constexpr uint8_t kProtocolVersion = 1;

enum class Request : uint8_t {
  kPing = 1,       // The body comes back.
  kInfo = 2,       // Board, model, memory; works after a failed start too.
  kRunTensor = 3,  // Input tensor's bytes; ticks and the output tensor's bytes come back.
  kRunImage = 4,   // 8-bit pixels; ticks and the mask come back, one bit a value.
  kProfile = 5,    // Ticks of each operator in the last inference.
};

constexpr uint8_t kReplyBit = 0x80;    // A reply's type is its request's, with this bit set.
constexpr uint8_t kLogFrame = 0xFE;    // Unasked: a line of text.
constexpr uint8_t kErrorFrame = 0xFF;  // Code, request's type, detail (4 bytes), text.
// Sequence number of frames that answer no request, such as errors of damaged ones.
constexpr uint8_t kNoSequence = 0;

}  // namespace tinyseg

#endif  // TINYSEG_CORE_PROTOCOL_H_
