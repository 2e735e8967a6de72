// Firmware that runs the exported model.
#include "core/device.h"
#include "model_data.h"
#include "model_ops.h"
#include "tflm/tflm_engine.h"

namespace {

using tinyseg::ElementType;

constexpr auto kInputType = static_cast<ElementType>(kModelInputType);
constexpr auto kOutputType = static_cast<ElementType>(kModelOutputType);

const tinyseg::OperatingPoint kPoint = {
    kModelPointUnits,    kModelPointThreshold, kModelPointHeight,  kModelPointWidth,
    kModelPointRegions,  kModelPointFirst,     kModelPointCount,   kModelPointBlankBelow,
    kModelPointRelative, kModelPointSmallest,  kModelPointLargest,
};
// Of the image as it is, while its mirror image runs.
__attribute__((section(".arena"))) uint8_t first_output[kModelMirrored ? kModelOutputElements : 1];

tinyseg::Status LookAgain(tinyseg::Engine& engine, const tinyseg::ModelDescription&,
                          tinyseg::ByteView pixels) {
  return static_cast<tinyseg::TflmEngine&>(engine).RunMirrored(
      pixels, {kModelInputWidth, kModelInputPlace}, {kModelPointWidth, kModelPointPlace},
      first_output);
}

const tinyseg::ModelDescription kModel = {
    kModelName,
    {g_model, g_model_len},
    kModelCrc32,
    kModelSha256,
    kInputType,
    kModelInputElements,
    kModelInputChannels,
    kOutputType,
    kModelOutputElements,
    kModelInputTable,
    &kModelMaskThreshold,
    kModelHasPoint ? &kPoint : nullptr,
    kModelInputTables,
    kModelInputChannelsFirst,
    kModelMirrored ? LookAgain : nullptr,
};

__attribute__((section(".arena"), aligned(16))) uint8_t arena[kModelArenaSize];
__attribute__((section(".arena")))
uint8_t receive_buffer[tinyseg::FrameBufferSize(kModelInputElements, kInputType)];
uint64_t operator_ticks[kModelOperatorCount];
ModelOpResolver resolver;

}  // namespace

int main() {
  RegisterModelOps(&resolver);  // Start() finds what is missing.
  static tinyseg::TflmEngine engine(kModel, resolver, {arena, sizeof(arena)}, kModelArenaMeasured,
                                    {operator_ticks, kModelOperatorCount});
  tinyseg::Serve(engine, kModel, {receive_buffer, sizeof(receive_buffer)});
}
