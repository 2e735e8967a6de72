// Firmware that runs the exported model.
#include "core/device.h"
#include "core/exported_model.h"
#include "model_ops.h"
#include "tflm/tflm_engine.h"

namespace {

// Of the image as it is, while its mirror image runs.
__attribute__((section(".arena"))) uint8_t first_output[kModelMirrored ? kModelOutputElements : 1];

tinyseg::Status LookAgain(tinyseg::Engine& engine, const tinyseg::ModelDescription&,
                          tinyseg::ByteView pixels) {
  return static_cast<tinyseg::TflmEngine&>(engine).RunMirrored(
      pixels, tinyseg::kMirroredInput, tinyseg::kMirroredOutput, first_output);
}

constexpr tinyseg::ModelDescription kModel =
    tinyseg::ExportedModel({g_model, g_model_len}, LookAgain);

__attribute__((section(".arena"), aligned(16))) uint8_t arena[kModelArenaSize];
__attribute__((section(".arena")))
uint8_t receive_buffer[tinyseg::FrameBufferSize(kModelInputElements, tinyseg::kInputType)];
uint64_t operator_ticks[kModelOperatorCount];
ModelOpResolver resolver;

}  // namespace

int main() {
  RegisterModelOps(&resolver);  // Start() finds what is missing.
  static tinyseg::TflmEngine engine(kModel, resolver, {arena, sizeof(arena)}, kModelArenaMeasured,
                                    {operator_ticks, kModelOperatorCount});
  tinyseg::Serve(engine, kModel, {receive_buffer, sizeof(receive_buffer)});
}
