// {{ name }}, compiled by tinyseg {{ version }} for its own engine. Do not edit.
//
// SHA-256 {{ sha256 }}
#ifndef MODEL_PROGRAM_H_
#define MODEL_PROGRAM_H_

#include "core/bytes.h"
#include "engine/kernel.h"

// The program: what is computed, in which order, from which weights.
extern const unsigned char g_program[];
constexpr unsigned int g_program_len = {{ length }};

// Bytes of a row of the input, as the table of model_data.h makes it of pixels, and of the output.
constexpr uint32_t kModelInputRow = {{ input_row }};
constexpr uint32_t kModelOutputRow = {{ output_row }};

// The kernels that it needs.
extern const tinyseg::engine::KernelTable kModelKernels;

// Memory: {{ ram }} bytes in all, for {{ work }} multiply-accumulates.
extern const tinyseg::MutableBytes kModelRegions[];
constexpr uint32_t kModelRegionCount = {{ regions | length }};

#endif  // MODEL_PROGRAM_H_
