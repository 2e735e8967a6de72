// Counts the ticks of each operator of an inference.
#ifndef TINYSEG_TFLM_OP_PROFILER_H_
#define TINYSEG_TFLM_OP_PROFILER_H_

#include "core/board.h"
#include "tensorflow/lite/micro/micro_profiler_interface.h"

namespace tinyseg {

class OpProfiler final : public tflite::MicroProfilerInterface {
 public:
  struct Storage {
    uint64_t* ticks;
    uint32_t size;
  };

  explicit OpProfiler(Storage storage) : storage_(storage) {}

  void Reset() { count_ = 0; }
  uint32_t count() const { return count_; }
  uint64_t ticks(uint32_t index) const { return storage_.ticks[index]; }

  // Called by the interpreter around each operator; events beyond the storage are not kept.
  uint32_t BeginEvent(const char*) override {
    if (count_ < storage_.size) storage_.ticks[count_++] = 0;
    start_ = board::Ticks();
    return count_ - 1;
  }
  void EndEvent(uint32_t event) override {
    const uint64_t end = board::Ticks();
    if (event < storage_.size) storage_.ticks[event] = end - start_;
  }

 private:
  const Storage storage_;
  uint32_t count_ = 0;
  uint64_t start_ = 0;
};

}  // namespace tinyseg

#endif  // TINYSEG_TFLM_OP_PROFILER_H_
