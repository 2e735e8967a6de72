// From an int8 output to masks at an operating point: whole numbers, no memory of its own.
//
// tinyseg/decision.py states the rules and does the same on the host, bit for bit.
#ifndef TINYSEG_CORE_OPERATING_POINT_H_
#define TINYSEG_CORE_OPERATING_POINT_H_

#include <cstdint>

namespace tinyseg {

// An operating point for one network: generated from the model, `tinyseg export-c` writes one.
struct OperatingPoint {
  const uint16_t* units;  // The probability of each stored value -128..127, 65535 of the highest.
  int8_t threshold;       // Stored values above it are foreground.
  uint32_t height;        // Of the output, and how many regions it has.
  uint32_t width;
  uint32_t regions;
  bool regions_first;    // Whether a region's map is stored whole, not pixel beside pixel.
  uint32_t count;        // Highest values of a map whose mean is its peak; 1 to height * width.
  uint64_t blank_below;  // The least sum of their units in a map that is not blank; 0 for none.
  uint32_t relative;  // Values above so many 65536ths of the peak are foreground too; 0 for none.
  uint32_t smallest;  // Pixels of a part that is kept.
  bool largest_only;  // Whether the largest part alone is kept.
};

// Turns the output, `height * width * regions` stored values, into 1 for foreground and 0.
void ApplyPoint(const OperatingPoint& point, uint8_t* output);

}  // namespace tinyseg

#endif  // TINYSEG_CORE_OPERATING_POINT_H_
