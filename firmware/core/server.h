// Answers requests that arrive on the serial port.
#ifndef TINYSEG_CORE_SERVER_H_
#define TINYSEG_CORE_SERVER_H_

#include "core/engine.h"
#include "core/frame.h"
#include "core/protocol.h"
#include "core/stack.h"

namespace tinyseg {

// Reads the clock; the host's tests bring their own.
struct Clock {
  const char* board;
  uint32_t hz;
  void (*reset)();
  uint64_t (*ticks)();
};

// A server stays alive whatever arrives: each damaged or wrong request gets an error reply.
class Server {
 public:
  // `buffer` holds one request; FrameBufferSize() tells how large it must be.
  Server(Engine& engine, const ModelDescription& model, MutableBytes buffer, ByteSink& sink,
         const Clock& clock, const StackRegion& stack)
      : engine_(engine),
        model_(model),
        decoder_(buffer),
        sink_(sink),
        clock_(clock),
        stack_(stack) {}

  // Checks the model, starts the engine, and sends a line of text that tells how it went.
  Status Start();

  // Takes one received byte and answers the request that it completes.
  void Feed(uint8_t byte);

 private:
  void Answer(const Frame& request);
  void AnswerInfo(uint8_t sequence);
  void AnswerRun(const Frame& request);
  void AnswerProfile(uint8_t sequence);
  Status LoadInput(const Frame& request);
  void SendError(const Status& error, uint8_t type, uint8_t sequence);
  void SendLog(const Status& status);

  Engine& engine_;
  const ModelDescription& model_;
  FrameDecoder decoder_;
  ByteSink& sink_;
  const Clock clock_;
  const StackRegion stack_;
  Status started_;
};

// Bytes that hold any request to a network with such an input, with header and checksum.
constexpr size_t FrameBufferSize(uint32_t input_elements, ElementType type) {
  constexpr size_t kLeast = 64;  // For requests other than images.
  const size_t input = input_elements * ElementSize(type);
  return (input > kLeast ? input : kLeast) + kFrameHeader + kFrameTrailer;
}

}  // namespace tinyseg

#endif  // TINYSEG_CORE_SERVER_H_
