// Filters of output channels, plain or packed.
#ifndef TINYSEG_ENGINE_KERNELS_FILTERS_H_
#define TINYSEG_ENGINE_KERNELS_FILTERS_H_

#include "engine/kernel.h"
#include "engine/params.h"

namespace tinyseg {
namespace engine {

// Hands out the filters of two neighbouring output channels, one behind the other. Packed ones are
// unpacked into the scratch memory: never more than two filters are there.
class Filters {
 public:
  // `weights` is an offset, not in use if there are packed ones; a filter has so many of them.
  Filters(const Rows& rows, uint32_t weights, const PackedWeights* packed, int32_t filter)
      : rows_(rows), packed_(packed), plain_(rows.at<int8_t>(weights)), filter_(filter) {}

  // All of the two filters from channel `channel` on, of the last one alone if there is one only.
  const int8_t* Pair(int32_t channel, bool has_second) const {
    return Parts(channel, has_second, 0, filter_, filter_);
  }

  // The same, but of each only `count` weights from `first` on, and from every `step` further;
  // others may hold anything.
  const int8_t* Parts(int32_t channel, bool has_second, int32_t first, int32_t count,
                      int32_t step) const {
    if (packed_ == nullptr) return plain_ + channel * filter_;
    auto* const to = reinterpret_cast<int8_t*>(rows_.scratch());
    for (int32_t which = 0; which < (has_second ? 2 : 1); ++which) {
      for (int32_t at = first; at < filter_; at += step) {
        Unpack(channel + which, at, count, to + which * filter_ + at);
      }
    }
    return to;
  }

 private:
  __attribute__((noinline)) void Unpack(int32_t channel, int32_t first, int32_t count,
                                        int8_t* to) const {
    const auto bits = static_cast<uint32_t>(packed_->bits);
    const uint32_t mask = (1u << bits) - 1;
    const int8_t* const table = rows_.at<int8_t>(packed_->tables) + channel * packed_->table_step;
    const uint32_t start = static_cast<uint32_t>(first) * bits;
    const uint8_t* from =
        rows_.at<uint8_t>(packed_->indices) + channel * packed_->filter_bytes + start / 8;
    uint32_t held = uint32_t{*from++} >> start % 8;
    uint32_t held_bits = 8 - start % 8;
    for (const int8_t* const end = to + count; to != end; ++to) {
      if (held_bits < bits) {
        held |= static_cast<uint32_t>(*from++) << held_bits;
        held_bits += 8;
      }
      *to = table[held & mask];
      held >>= bits;
      held_bits -= bits;
    }
  }

  const Rows& rows_;
  const PackedWeights* const packed_;
  const int8_t* const plain_;
  const int32_t filter_;
};

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_FILTERS_H_
