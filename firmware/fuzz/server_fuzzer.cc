// Any bytes into a server: it answers each request once, in frames, and stays alive.
#include "core/image.h"
#include "fuzz/script.h"
#include "tests/fake_device.h"

namespace tinyseg {
namespace {

bool MayRun(const Message& request) {
  const size_t size = request.body.size();
  const bool is_image = request.type == static_cast<uint8_t>(Request::kRunImage);
  return size == FakeEngine::kInputs ||
         (is_image && size == FakeEngine::kInputs / FakeEngine::kChannels);
}

bool Answers(const Message& reply, const Message& request) {
  if (reply.sequence != request.sequence) return false;
  if (reply.type == kErrorFrame) {
    return reply.body.size() > 6 && reply.body[0] != 0 && reply.body[1] == request.type;
  }
  return request.type <= 5 && reply.type == (request.type | kReplyBit);
}

void CheckNoise(FakeDevice& device, const Bytes& noise) {
  const Decoded sent = device.Receive(noise);
  Require(sent.errors.empty(), "replies to noise are intact");
  const auto zeros = std::count(noise.begin(), noise.end(), 0);
  Require(sent.frames.size() <= static_cast<size_t>(zeros), "a zero is answered once at most");
}

void CheckRequest(FakeDevice& device, const Message& request) {
  CheckNoise(device, {0});
  const Decoded sent = device.Receive(Encode(request));
  Require(sent.errors.empty(), "a reply is intact");
  Require(sent.frames.size() == 1, "a request has one reply");
  const Message& reply = sent.frames[0];
  if (kFrameHeader + request.body.size() + kFrameTrailer > FakeDevice::kCapacity) {
    Require(reply.type == kErrorFrame && reply.body[0] == static_cast<uint8_t>(Code::kTooLarge),
            "a request larger than the buffer is too large");
    return;
  }
  Require(Answers(reply, request), "a reply belongs to its request");
  if (reply.type == kErrorFrame) return;
  switch (static_cast<Request>(request.type)) {
    case Request::kPing:
      return Require(reply.body == request.body, "a ping comes back");
    case Request::kRunTensor:
      Require(MayRun(request), "a tensor runs with its own size only");
      return Require(reply.body.size() == 8 + FakeEngine::kOutputs, "a tensor comes back");
    case Request::kRunImage:
      Require(MayRun(request), "an image runs with its own size only");
      return Require(reply.body.size() == 8 + MaskSize(device.model), "a mask comes back");
    case Request::kInfo:
    case Request::kProfile:
      return;
  }
}

// The first byte: whether the engine starts, whether it runs, whether a run uses the whole stack.
void SetUp(FakeDevice& device, uint8_t choice) {
  if ((choice & 1) != 0) device.engine.start_status = {Code::kArenaTooSmall, 5000, "too small"};
  if ((choice & 2) != 0) device.engine.run_status = {Code::kInvokeFailed, 3, "failed"};
  if ((choice & 4) != 0) device.engine.stack_word = device.stack.begin;
  const Decoded sent = device.Start();
  Require(sent.errors.empty() && sent.frames.size() == 1 && sent.frames[0].type == kLogFrame,
          "a line of text is sent at start");
}

}  // namespace
}  // namespace tinyseg

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tinyseg;
  Script script(data, size);
  FakeDevice device;
  SetUp(device, script.NextByte());
  while (!script.done()) {
    const Step step = script.NextStep();
    if (step.is_frame) {
      CheckRequest(device, step.message);
    } else {
      CheckNoise(device, step.noise);
    }
  }
  CheckRequest(device, {static_cast<uint8_t>(Request::kPing), 99, {1, 0, 2}});
  return 0;
}
