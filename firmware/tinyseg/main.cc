// Firmware that runs the exported program.
#include "core/device.h"
#include "model_data.h"
#include "model_program.h"
#include "tinyseg/tinyseg_engine.h"

namespace {

using tinyseg::ElementType;

constexpr auto kInputType = static_cast<ElementType>(kModelInputType);
constexpr auto kOutputType = static_cast<ElementType>(kModelOutputType);

const tinyseg::OperatingPoint kPoint = {
    kModelPointUnits,    kModelPointThreshold, kModelPointHeight,  kModelPointWidth,
    kModelPointRegions,  kModelPointFirst,     kModelPointCount,   kModelPointBlankBelow,
    kModelPointRelative, kModelPointSmallest,  kModelPointLargest,
};
tinyseg::Status LookAgain(tinyseg::Engine& engine, const tinyseg::ModelDescription&,
                          tinyseg::ByteView) {
  return static_cast<tinyseg::TinysegEngine&>(engine).RunMirrored(
      {kModelInputWidth, kModelInputPlace}, {kModelPointWidth, kModelPointPlace});
}

const tinyseg::ModelDescription kModel = {
    kModelName,
    {},
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

// A request's body becomes the input tensor in its place.
constexpr size_t kBody = tinyseg::kFrameHeader;
constexpr size_t kInputBytes = kModelInputElements * tinyseg::ElementSize(kInputType);
constexpr size_t kOutputBytes = kModelOutputElements * tinyseg::ElementSize(kOutputType);
__attribute__((section(".arena")))
uint8_t receive_buffer[tinyseg::FrameBufferSize(kModelInputElements, kInputType)];
__attribute__((section(".arena"))) uint8_t output[kOutputBytes];
uint64_t operator_ticks[kModelOperatorCount];

}  // namespace

int main() {
  static tinyseg::TinysegEngine engine({g_program, g_program_len}, kModelKernels,
                                       {kModelRegions,
                                        kModelRegionCount,
                                        {receive_buffer + kBody, kInputBytes},
                                        {output, sizeof(output)},
                                        operator_ticks,
                                        kModelOperatorCount});
  tinyseg::Serve(engine, kModel, {receive_buffer, sizeof(receive_buffer)});
}
