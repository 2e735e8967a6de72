// {{ name }}, exported by tinyseg {{ version }}. Do not edit.
//
// SHA-256 {{ sha256 }}
#ifndef MODEL_DATA_H_
#define MODEL_DATA_H_

#include <cstdint>

constexpr char kModelName[] = "{{ name }}";

// The .tflite file.
extern const unsigned char g_model[];
constexpr unsigned int g_model_len = {{ length }};
constexpr uint32_t kModelCrc32 = 0x{{ "%08x" % crc32 }};
constexpr uint8_t kModelSha256[32] = {
{{ sha256_bytes }}
};

// Bytes of tensor arena: {{ arena_source }}.
constexpr uint32_t kModelArenaMeasured = {{ arena_measured }};
constexpr uint32_t kModelArenaSize = {{ arena_size }};

// Input {{ input.shape }} {{ input.dtype }}, output {{ output.shape }} {{ output.dtype }};
// types: 1 int8, 2 int16, 3 float32. real = (stored - zero point) * scale.
constexpr int kModelInputType = {{ input.code }};
constexpr uint32_t kModelInputElements = {{ input.elements }};
constexpr uint32_t kModelInputHeight = {{ input.shape[1] }};
constexpr uint32_t kModelInputWidth = {{ input.shape[2] }};
constexpr uint32_t kModelInputChannels = {{ input.shape[3] }};
constexpr float kModelInputScale = {{ input.scale }}f;
constexpr int32_t kModelInputZeroPoint = {{ input.zero_point }};
constexpr int kModelOutputType = {{ output.code }};
constexpr uint32_t kModelOutputElements = {{ output.elements }};
constexpr float kModelOutputScale = {{ output.scale }}f;
constexpr int32_t kModelOutputZeroPoint = {{ output.zero_point }};

// The stored input of each pixel value 0..255: {{ table_text }}.
constexpr {{ input.ctype }} kModelInputTable[256] = {
{{ input_table }}
};
// Outputs above this one are foreground: {{ threshold_text }}.
constexpr {{ output.ctype }} kModelMaskThreshold = {{ mask_threshold }};

constexpr uint32_t kModelOperatorCount = {{ operator_count }};

#endif  // MODEL_DATA_H_
