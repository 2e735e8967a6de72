// Firmware that runs the exported program.
#include "core/device.h"
#include "core/exported_model.h"
#include "model_program.h"
#include "tinyseg/tinyseg_engine.h"

namespace {

tinyseg::Status LookAgain(tinyseg::Engine& engine, const tinyseg::ModelDescription&,
                          tinyseg::ByteView) {
  return static_cast<tinyseg::TinysegEngine&>(engine).RunMirrored(tinyseg::kMirroredInput,
                                                                  tinyseg::kMirroredOutput);
}

constexpr tinyseg::ModelDescription kModel = tinyseg::ExportedModel({}, LookAgain);

// A request's body becomes the input tensor in its place.
constexpr size_t kBody = tinyseg::kFrameHeader;
constexpr size_t kInputBytes = kModelInputElements * tinyseg::ElementSize(tinyseg::kInputType);
constexpr size_t kOutputBytes = kModelOutputElements * tinyseg::ElementSize(tinyseg::kOutputType);
__attribute__((section(".arena")))
uint8_t receive_buffer[tinyseg::FrameBufferSize(kModelInputElements, tinyseg::kInputType)];
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
