// Runs a .tflite file on TensorFlow Lite Micro.
#ifndef TINYSEG_TFLM_TFLM_ENGINE_H_
#define TINYSEG_TFLM_TFLM_ENGINE_H_

#include <optional>

#include "core/engine.h"
#include "core/mirror.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tflm/op_profiler.h"

namespace tinyseg {

class TflmEngine final : public Engine {
 public:
  // Args:
  //   resolver: with the model's operators registered.
  //   arena: aligned to 16 bytes.
  //   arena_needed: what export-c measured, for the message if the arena is too small.
  //   operator_ticks: storage of the profiler, one number an operator.
  TflmEngine(const ModelDescription& model, const tflite::MicroOpResolver& resolver,
             MutableBytes arena, uint32_t arena_needed, OpProfiler::Storage operator_ticks)
      : model_(model),
        resolver_(resolver),
        arena_(arena),
        arena_needed_(arena_needed),
        profiler_(operator_ticks) {}

  Status Start() override;
  MutableBytes input() override;
  Status Run() override;
  // Runs the mirror image of pixels that just ran and makes the output, int8, the mean of both;
  // `first` holds as many bytes meanwhile.
  Status RunMirrored(ByteView pixels, MirroredRows input, MirroredRows output, uint8_t* first);
  MutableBytes output() override;
  ArenaReport arena() const override;
  uint32_t operator_count() const override { return profiler_.count(); }
  uint64_t operator_ticks(uint32_t index) const override { return profiler_.ticks(index); }

 private:
  Status CheckOperators(const tflite::Model& model) const;
  Status CheckTensors() const;

  const ModelDescription& model_;
  const tflite::MicroOpResolver& resolver_;
  const MutableBytes arena_;
  const uint32_t arena_needed_;
  OpProfiler profiler_;
  std::optional<tflite::MicroInterpreter> interpreter_;
  TfLiteTensor* input_ = nullptr;
  TfLiteTensor* output_ = nullptr;
};

}  // namespace tinyseg

#endif  // TINYSEG_TFLM_TFLM_ENGINE_H_
