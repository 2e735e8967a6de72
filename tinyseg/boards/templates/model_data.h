// {{ name }}, exported by tinyseg {{ version }}. Do not edit.
//
// SHA-256 {{ sha256 }}
#ifndef MODEL_DATA_H_
#define MODEL_DATA_H_

#include <cstdint>

constexpr char kModelName[] = "{{ name }}";

{% if arena_size is defined -%}
// The .tflite file.
extern const unsigned char g_model[];
constexpr unsigned int g_model_len = {{ length }};
{% else -%}
// Of the .tflite file that was compiled.
{% endif -%}
constexpr uint32_t kModelCrc32 = 0x{{ "%08x" % crc32 }};
constexpr uint8_t kModelSha256[32] = {
{{ sha256_bytes }}
};

{% if arena_size is defined -%}
// Bytes of tensor arena: {{ arena_source }}.
constexpr uint32_t kModelArenaMeasured = {{ arena_measured }};
constexpr uint32_t kModelArenaSize = {{ arena_size }};

{% endif -%}
// Input {{ input.shape }} {{ input.dtype }}, output {{ output.shape }} {{ output.dtype }};
// types: 1 int8, 2 int16, 3 float32, 4 int32. real = (stored - zero point) * scale.
constexpr int kModelInputType = {{ input.code }};
constexpr uint32_t kModelInputElements = {{ input.elements }};
constexpr uint32_t kModelInputHeight = {{ input.shape[1] }};
constexpr uint32_t kModelInputWidth = {{ input.shape[2] }};
constexpr uint32_t kModelInputChannels = {{ input.shape[3] }};
// Whether the input is one channel after the other, not one pixel after the other.
constexpr bool kModelInputChannelsFirst = {{ channels_first | lower }};
constexpr float kModelInputScale = {{ input.scale }}f;
constexpr int32_t kModelInputZeroPoint = {{ input.zero_point }};
constexpr int kModelOutputType = {{ output.code }};
constexpr uint32_t kModelOutputElements = {{ output.elements }};
constexpr float kModelOutputScale = {{ output.scale }}f;
constexpr int32_t kModelOutputZeroPoint = {{ output.zero_point }};

// What becomes pixel value 255 where images have more than 8 bits, as when the network learned:
// pixel = (255 * value + kModelImageWhite / 2) / kModelImageWhite.
constexpr uint32_t kModelImageWhite = {{ image_white }};
// The stored input of each pixel value 0..255: {{ table_text }}.
{% if input_tables > 1 -%}
// A table for each channel, one after the other.
{% endif -%}
constexpr uint32_t kModelInputTables = {{ input_tables }};
constexpr {{ input.ctype }} kModelInputTable[{{ 256 * input_tables }}] = {
{{ input_table }}
};
// Outputs above this one are foreground: {{ threshold_text }}.
constexpr {{ output.ctype }} kModelMaskThreshold = {{ mask_threshold }};

// Operating point: {{ point.text }}. Where it is more than a threshold, these are the members of
// tinyseg::OperatingPoint of core/operating_point.h in their order, and that decides.
constexpr bool kModelHasPoint = {{ "true" if point.units else "false" }};
constexpr uint16_t kModelPointUnits[256] = {
{{ point_units }}
};
constexpr int8_t kModelPointThreshold = {{ point.threshold }};
constexpr uint32_t kModelPointHeight = {{ point.height }};
constexpr uint32_t kModelPointWidth = {{ point.width }};
constexpr uint32_t kModelPointRegions = {{ point.regions }};
constexpr bool kModelPointFirst = {{ point.regions_first | lower }};
constexpr uint32_t kModelPointCount = {{ point.count }};
constexpr uint64_t kModelPointBlankBelow = {{ point.blank_below }};
constexpr uint32_t kModelPointRelative = {{ point.relative }};
constexpr uint32_t kModelPointSmallest = {{ point.smallest }};
constexpr bool kModelPointLargest = {{ point.largest_only | lower }};
// Whether the mean of the outputs of an image and of its mirror image decides, see core/mirror.h,
// and the bytes of one place in a row of the input and of the output.
constexpr bool kModelMirrored = {{ point.mirrored | lower }};
constexpr uint32_t kModelInputPlace = {{ input_place }};
constexpr uint32_t kModelPointPlace = {{ 1 if point.regions_first else point.regions }};

constexpr uint32_t kModelOperatorCount = {{ operator_count }};

#endif  // MODEL_DATA_H_
