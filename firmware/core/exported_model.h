// The model of model_data.h, which `tinyseg export-c` writes, as the server is told of it.
#ifndef TINYSEG_CORE_EXPORTED_MODEL_H_
#define TINYSEG_CORE_EXPORTED_MODEL_H_

#include "core/engine.h"
#include "core/mirror.h"
#include "model_data.h"

namespace tinyseg {

constexpr auto kInputType = static_cast<ElementType>(kModelInputType);
constexpr auto kOutputType = static_cast<ElementType>(kModelOutputType);

constexpr MirroredRows kMirroredInput = {kModelInputWidth, kModelInputPlace};
constexpr MirroredRows kMirroredOutput = {kModelPointWidth, kModelPointPlace};

constexpr OperatingPoint kPoint = {
    kModelPointUnits,    kModelPointThreshold, kModelPointHeight,  kModelPointWidth,
    kModelPointRegions,  kModelPointFirst,     kModelPointCount,   kModelPointBlankBelow,
    kModelPointRelative, kModelPointSmallest,  kModelPointLargest,
};

// Describes the model. `look_again` stands in the firmware only if the model sees images twice.
constexpr ModelDescription ExportedModel(ByteView content,
                                         decltype(ModelDescription::look_again) look_again) {
  return {
      kModelName,
      content,
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
      kModelMirrored ? look_again : nullptr,
  };
}

}  // namespace tinyseg

#endif  // TINYSEG_CORE_EXPORTED_MODEL_H_
