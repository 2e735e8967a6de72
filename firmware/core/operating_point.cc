#include "core/operating_point.h"

#include <cstddef>

namespace tinyseg {
namespace {

// What a pixel is while parts are told apart.
constexpr uint8_t kOutside = 0;
constexpr uint8_t kKept = 1;
constexpr uint8_t kUnseen = 2;
constexpr uint8_t kReached = 3;  // Of the part that is being followed.

// The values of one region.
class Map {
 public:
  Map(const OperatingPoint& point, uint8_t* output, uint32_t region)
      : width_(point.width),
        pixels_(point.height * point.width),
        step_(point.regions_first ? 1 : point.regions),
        first_(output + (point.regions_first ? size_t{region} * pixels_ : region)) {}

  uint32_t width() const { return width_; }
  uint32_t height() const { return pixels_ / width_; }
  uint32_t pixels() const { return pixels_; }
  uint8_t& operator[](uint32_t pixel) { return first_[size_t{pixel} * step_]; }

 private:
  const uint32_t width_;
  const uint32_t pixels_;
  const uint32_t step_;
  uint8_t* const first_;
};

// The place of a stored value, of two's complement, in the order of its numbers.
constexpr uint8_t Rank(uint8_t stored) { return stored ^ 0x80; }

// Finds the bin that the `left` highest values reach into, and how many of it they are.
uint8_t Reached(const uint32_t (&bins)[16], uint32_t* left) {
  uint8_t bin = 15;
  for (; bin > 0 && bins[bin] < *left; --bin) *left -= bins[bin];
  return bin;
}

// Returns the sum of the units of the highest values.
uint64_t TopSum(const OperatingPoint& point, Map map) {
  // The lowest value among them: its upper four bits, then its lower.
  uint32_t left = point.count;
  uint32_t bins[16] = {};
  for (uint32_t i = 0; i < map.pixels(); ++i) ++bins[Rank(map[i]) >> 4];
  const uint8_t upper = Reached(bins, &left);
  for (uint32_t& bin : bins) bin = 0;
  for (uint32_t i = 0; i < map.pixels(); ++i) {
    const uint8_t rank = Rank(map[i]);
    if (rank >> 4 == upper) ++bins[rank & 15];
  }
  const uint8_t lowest = static_cast<uint8_t>(upper << 4 | Reached(bins, &left));
  uint64_t sum = uint64_t{left} * point.units[lowest];
  for (uint32_t i = 0; i < map.pixels(); ++i) {
    const uint8_t rank = Rank(map[i]);
    if (rank > lowest) sum += point.units[rank];
  }
  return sum;
}

// Tells which values are foreground: those of at least the returned rank, 256 if none are.
uint32_t LowestForeground(const OperatingPoint& point, Map map) {
  uint32_t lowest = Rank(static_cast<uint8_t>(point.threshold)) + 1u;
  if (point.blank_below == 0 && point.relative == 0) return lowest;
  const uint64_t sum = TopSum(point, map);
  if (sum < point.blank_below) return 256;
  if (point.relative == 0) return lowest;
  const uint64_t bound = point.relative * sum;
  const uint64_t each = uint64_t{point.count} << 16;
  while (lowest > 0 && point.units[lowest - 1] * each > bound) --lowest;
  return lowest;
}

// Follows one part at a time, going down and up through its rows until nothing is added.
class Parts {
 public:
  explicit Parts(Map map) : map_(map) {}

  // Marks what is connected to the first pixel of a part, row by row, and returns its size.
  uint32_t Follow(uint32_t pixel) {
    top_ = bottom_ = pixel / map_.width();
    map_[pixel] = kReached;
    size_ = 1;
    uint32_t before = 0;
    while (before < size_) {
      before = size_;
      for (uint32_t row = top_; row < map_.height() && row <= bottom_ + 1; ++row) Grow(row);
      for (uint32_t row = bottom_; row > top_; --row) Grow(row);
    }
    return size_;
  }

  // Makes the pixels of the part that was followed something else.
  void Turn(uint8_t to) {
    for (uint32_t i = top_ * map_.width(); i < (bottom_ + 1) * map_.width(); ++i) {
      if (map_[i] == kReached) map_[i] = to;
    }
  }

 private:
  // Takes in what of a row touches the part.
  void Grow(uint32_t row) {
    const uint32_t before = size_;
    for (uint32_t column = 0; column < map_.width(); ++column) Take(row, column);
    for (uint32_t column = map_.width(); column > 0; --column) Take(row, column - 1);
    if (size_ > before && row > bottom_) bottom_ = row;
  }

  void Take(uint32_t row, uint32_t column) {
    uint8_t& pixel = map_[row * map_.width() + column];
    if (pixel != kUnseen || !Touches(row, column)) return;
    pixel = kReached;
    ++size_;
  }

  bool Touches(uint32_t row, uint32_t column) {
    const uint32_t first_row = row > 0 ? row - 1 : 0;
    const uint32_t first = column > 0 ? column - 1 : 0;
    const uint32_t last = column + 1 < map_.width() ? column + 1 : column;
    for (uint32_t y = first_row; y <= row + 1 && y < map_.height(); ++y) {
      for (uint32_t x = first; x <= last; ++x) {
        if (map_[y * map_.width() + x] == kReached) return true;
      }
    }
    return false;
  }

  Map map_;
  uint32_t top_ = 0;     // The row of the first pixel: none of the part lies above.
  uint32_t bottom_ = 0;  // The lowest row reached.
  uint32_t size_ = 0;
};

// Leaves out the one part that was kept.
void Drop(Map map) {
  for (uint32_t i = 0; i < map.pixels(); ++i) {
    if (map[i] == kKept) map[i] = kOutside;
  }
}

void KeepParts(const OperatingPoint& point, Map map) {
  Parts parts(map);
  uint32_t largest = 0;
  for (uint32_t i = 0; i < map.pixels(); ++i) {
    if (map[i] != kUnseen) continue;
    const uint32_t size = parts.Follow(i);
    // Of equal ones the first stays.
    const bool keep = size >= point.smallest && !(point.largest_only && size <= largest);
    if (keep && point.largest_only && largest > 0) Drop(map);
    if (keep) largest = size;
    parts.Turn(keep ? kKept : kOutside);
  }
}

}  // namespace

void ApplyPoint(const OperatingPoint& point, uint8_t* output) {
  const bool by_parts = point.largest_only || point.smallest > 1;
  for (uint32_t region = 0; region < point.regions; ++region) {
    Map map(point, output, region);
    const uint32_t lowest = LowestForeground(point, map);
    for (uint32_t i = 0; i < map.pixels(); ++i) {
      map[i] = Rank(map[i]) < lowest ? kOutside : by_parts ? kUnseen : kKept;
    }
    if (by_parts) KeepParts(point, map);
  }
}

}  // namespace tinyseg
