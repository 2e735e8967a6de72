// What can go wrong on the device. The numbers are part of the protocol.
#ifndef TINYSEG_CORE_STATUS_H_
#define TINYSEG_CORE_STATUS_H_

#include <cstdint>

namespace tinyseg {

enum class Code : uint8_t {
  kOk = 0,
  kBadChecksum = 1,      // A frame was damaged on the line.
  kTruncated = 2,        // A frame is shorter than its fixed part.
  kTooLarge = 3,         // A frame is longer than the receive buffer; detail: bytes allowed.
  kUnknownRequest = 4,   // Detail: the request's type.
  kWrongLength = 5,      // Detail: bytes expected.
  kModelDamaged = 6,     // The model's checksum differs; detail: the CRC-32 found.
  kArenaTooSmall = 7,    // Detail: bytes needed.
  kUnknownOperator = 8,  // Detail: TFLite's built-in code of the operator.
  kInvokeFailed = 9,     // Detail: index of the operator, if known.
  kStackOverflow = 10,   // Detail: the stack's size in bytes.
  kModelMismatch = 11,   // Model and generated header differ; detail: what the model has.
  kPrepareFailed = 12,   // TFLM refuses the model; the text is its reason.
  kBadProgram = 13,      // A compiled program cannot be run; detail: index of the node, if one is.
  kBorderFailed = 14,    // An input row could not be had or an output row not given; detail: row.
  kStopped = 15,         // An inference was ended between two rows.
};

// An outcome. `text` lives forever; it names the cure.
struct Status {
  Code code = Code::kOk;
  uint32_t detail = 0;
  const char* text = "";

  bool ok() const { return code == Code::kOk; }
};

}  // namespace tinyseg

#endif  // TINYSEG_CORE_STATUS_H_
