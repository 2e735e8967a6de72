// A server with an engine, a clock and a stack that tests control.
#ifndef TINYSEG_TESTS_FAKE_DEVICE_H_
#define TINYSEG_TESTS_FAKE_DEVICE_H_

#include <cstdlib>

#include "core/server.h"
#include "core/sha256.h"
#include "tests/wire.h"

namespace tinyseg {

// A clock that only runs in the fake engine's Run().
struct FakeClock {
  static uint64_t Ticks() { return now - zero; }
  static void Reset() { zero = now; }

  static inline uint64_t now = 0;
  static inline uint64_t zero = 0;
};

// Twelve int8 inputs to ten outputs: the first ten inputs. Aborts when used unlike core/engine.h.
class FakeEngine final : public Engine {
 public:
  static constexpr uint32_t kInputs = 12;
  static constexpr uint32_t kChannels = 3;
  static constexpr uint32_t kOutputs = 10;
  static constexpr uint64_t kRunTicks = 0x0102030405060708u;

  Status Start() override {
    if (++starts > 1) std::abort();
    return start_status;
  }
  MutableBytes input() override {
    RequireStart();
    return {input_, kInputs};
  }
  Status Run() override {
    RequireStart();
    ++runs;
    FakeClock::now += kRunTicks;
    if (stack_word != nullptr) *stack_word = 0;
    if (!run_status.ok()) return run_status;
    for (uint32_t i = 0; i < kOutputs; ++i) output_[i] = input_[i];
    // As an arena in which the input's memory is used again.
    for (uint8_t& byte : input_) byte = 0xEE;
    return {};
  }
  MutableBytes output() override {
    RequireStart();
    return {output_, kOutputs};
  }
  ArenaReport arena() const override { return {1000, 900}; }
  uint32_t operator_count() const override { return runs > 0 ? 2 : 0; }
  uint64_t operator_ticks(uint32_t index) const override { return kRunTicks + index; }

  Status start_status;
  Status run_status;
  uint32_t* stack_word = nullptr;  // Overwritten by Run().
  int starts = 0;
  int runs = 0;

 private:
  void RequireStart() const {
    if (starts != 1 || !start_status.ok()) std::abort();
  }

  uint8_t input_[kInputs] = {};
  uint8_t output_[kOutputs] = {};
};

// What the fake engine is: pixel p becomes p - 128, elements above 5 are foreground.
inline ModelDescription FakeModel() {
  struct Table {
    int8_t values[256];
    Table() {
      for (int i = 0; i < 256; ++i) values[i] = static_cast<int8_t>(i - 128);
    }
  };
  static const Table table;
  static constexpr int8_t kThreshold = 5;
  static constexpr uint8_t kDigest[kSha256Size] = {0xD1, 0xD2, 0xD3};
  return {"fake_net",
          {},
          0xC3C2C1C0u,
          kDigest,
          ElementType::kInt8,
          FakeEngine::kInputs,
          FakeEngine::kChannels,
          ElementType::kInt8,
          FakeEngine::kOutputs,
          table.values,
          &kThreshold};
}

class FakeDevice {
 public:
  static constexpr size_t kStackWords = 64;
  static constexpr size_t kStackWordsUsed = 16;
  static constexpr size_t kCapacity = FrameBufferSize(FakeEngine::kInputs, ElementType::kInt8);

  FakeDevice() { PaintStack(stack, stack.end - kStackWordsUsed); }
  FakeDevice(const FakeDevice&) = delete;
  FakeDevice& operator=(const FakeDevice&) = delete;

  // Starts the server and returns what it sent.
  Decoded Start() {
    server.Start();
    return Sent();
  }

  // Feeds bytes and returns what the server sent.
  Decoded Receive(const Bytes& line) {
    for (const uint8_t byte : line) server.Feed(byte);
    return Sent();
  }

 private:
  Bytes buffer_ = Bytes(kCapacity);
  std::vector<uint32_t> words_ = std::vector<uint32_t>(kStackWords);
  RecordingSink sink_;

  Decoded Sent() {
    const Decoded sent = Decode(sink_.bytes);
    sink_.bytes.clear();
    return sent;
  }

 public:
  FakeEngine engine;
  ModelDescription model = FakeModel();
  StackRegion stack = {words_.data(), words_.data() + kStackWords};
  Server server{engine,
                model,
                {buffer_.data(), buffer_.size()},
                sink_,
                {"fake_board", 25000000, FakeClock::Reset, FakeClock::Ticks},
                stack};
};

// Little-endian bytes of a number.
inline Bytes Number(uint64_t value, size_t width) {
  Bytes bytes;
  for (size_t i = 0; i < width; ++i) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
  return bytes;
}

}  // namespace tinyseg

#endif  // TINYSEG_TESTS_FAKE_DEVICE_H_
