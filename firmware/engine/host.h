// The engine as a shared library, for Python's ctypes: plain C functions and structures.
#ifndef TINYSEG_ENGINE_HOST_H_
#define TINYSEG_ENGINE_HOST_H_

#include <cstdint>

extern "C" {

// How a call went.
struct tinyseg_engine_status {
  uint32_t code;  // Of tinyseg::Code.
  uint32_t detail;
  const char* text;  // Lives forever.
};

// A program that runs in memory of the caller, who keeps program and regions where they are.
struct tinyseg_engine;

// Bytes of a tinyseg_engine, which the caller allocates, aligned to 16.
uint32_t tinyseg_engine_bytes();

// Checks a program. Regions are aligned to 16 bytes, the program to 4; the arrays themselves are
// free again after the call.
void tinyseg_engine_start(struct tinyseg_engine* engine, const uint8_t* program,
                          uint64_t program_bytes, uint8_t* const* regions,
                          const uint64_t* region_bytes, uint32_t region_count,
                          struct tinyseg_engine_status* status);

// Runs `images` inferences. `inputs` and `outputs` hold a pointer for each, to whole arrays of
// all images one after another. Returns after the first that fails.
void tinyseg_engine_run(struct tinyseg_engine* engine, const uint8_t* const* inputs,
                        uint8_t* const* outputs, uint64_t images,
                        struct tinyseg_engine_status* status);

// As above for one image; after each row of each node `trace(user, node, row, bytes)` is called
// with what was computed.
void tinyseg_engine_trace(struct tinyseg_engine* engine, const uint8_t* const* inputs,
                          uint8_t* const* outputs,
                          void (*trace)(void* user, uint32_t node, uint32_t row,
                                        const uint8_t* bytes),
                          void* user, struct tinyseg_engine_status* status);

}  // extern "C"

#endif  // TINYSEG_ENGINE_HOST_H_
