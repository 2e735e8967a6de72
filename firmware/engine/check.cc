#include "engine/check.h"

#include "core/crc32.h"

namespace tinyseg {
namespace engine {
namespace {

constexpr size_t kCrcEnd = offsetof(Header, crc32) + sizeof(uint32_t);

Status Bad(const char* text, uint32_t detail = 0) { return {Code::kBadProgram, detail, text}; }

bool Aligned(const void* at, uintptr_t to) { return reinterpret_cast<uintptr_t>(at) % to == 0; }

// A part of memory or of the program.
struct Extent {
  uint32_t begin;
  uint32_t bytes;

  bool Overlaps(const Extent& other) const {
    return begin < other.begin + other.bytes && other.begin < begin + bytes;
  }
};

// Checks a program whose header and checksum hold.
class Checker {
 public:
  Checker(const uint8_t* program, const KernelTable& kernels)
      : program_(program),
        header_(*reinterpret_cast<const Header*>(program)),
        nodes_(reinterpret_cast<const Node*>(program + header_.nodes)),
        kernels_(kernels) {}

  bool InProgram(uint32_t offset, uint64_t bytes) const {
    return offset % 4 == 0 && offset >= sizeof(Header) && offset + bytes <= header_.bytes;
  }

  Status CheckTables() const {
    if (header_.node_count == 0 || header_.output_count == 0 ||
        header_.input_count > header_.node_count ||
        !InProgram(header_.nodes, uint64_t{sizeof(Node)} * header_.node_count) ||
        !InProgram(header_.outputs, uint64_t{sizeof(uint16_t)} * header_.output_count)) {
      return Bad("the program's tables reach beyond it; compile the network again");
    }
    const auto* outputs = reinterpret_cast<const uint16_t*>(program_ + header_.outputs);
    for (uint32_t i = 0; i < header_.output_count; ++i) {
      if (outputs[i] >= header_.node_count || (nodes_[outputs[i]].flags & kOutput) == 0) {
        return Bad("an output is no node; compile the network again", outputs[i]);
      }
    }
    return {};
  }

  Status CheckMemory() const {
    const uint32_t unit = header_.unit;
    const uint32_t counters = header_.node_count * uint32_t{sizeof(uint16_t)};
    if (unit < 4 || unit > 65536 || (unit & (unit - 1)) != 0 || header_.region_start[0] != 0 ||
        !InFirstRegion(State()) || !InFirstRegion(Scratch()) || State().Overlaps(Scratch()) ||
        header_.state % 4 != 0 || header_.scratch % 4 != 0 ||
        header_.state_bytes < counters + sizeof(uint16_t)) {
      return Bad("the program's memory is not laid out; compile the network again");
    }
    for (uint32_t i = 1; i < header_.region_count; ++i) {
      if (header_.region_start[i] < header_.region_start[i - 1]) {
        return Bad("memory regions are out of order; compile the network again");
      }
    }
    return {};
  }

  Status CheckNode(uint32_t index) const {
    const Node& node = nodes_[index];
    const bool is_input = (node.flags & kInput) != 0;
    const bool is_constant = (node.flags & kConstant) != 0;
    const uint64_t elements = uint64_t{node.width} * node.channels;
    if (node.rows == 0 || elements == 0 || node.row_bytes < elements ||
        node.row_bytes % elements != 0 || is_input != (index < header_.input_count) ||
        ((is_input || is_constant) && node.link_count != 0) ||
        (is_constant && (node.flags & (kInput | kOutput)) != 0)) {
      return Bad("a node's shape or kind is damaged; compile the network again", index);
    }
    if (is_constant) {
      if (InProgram(node.slots, uint64_t{node.rows} * node.row_bytes)) return {};
      return Bad("a constant reaches beyond the program; compile the network again", index);
    }
    const Status status = CheckSlots(index);
    return status.ok() && !is_input ? CheckComputed(index) : status;
  }

 private:
  Extent State() const { return {header_.state, header_.state_bytes}; }
  Extent Scratch() const { return {header_.scratch, header_.scratch_bytes}; }

  bool InFirstRegion(const Extent& extent) const {
    return uint64_t{extent.begin} + extent.bytes <= header_.region_bytes[0];
  }

  // Rows lie inside a region, apart from the interpreter's and the kernels' own memory.
  Status CheckSlots(uint32_t index) const {
    const Node& node = nodes_[index];
    if (node.period == 0 || !InProgram(node.slots, uint64_t{sizeof(uint16_t)} * node.period)) {
      return Bad("a node's slots reach beyond the program; compile the network again", index);
    }
    const auto* slots = reinterpret_cast<const uint16_t*>(program_ + node.slots);
    for (uint32_t i = 0; i < node.period; ++i) {
      const uint64_t place = uint64_t{slots[i]} * header_.unit;
      uint32_t region = header_.region_count - 1u;
      while (place < header_.region_start[region]) --region;
      const uint64_t offset = place - header_.region_start[region];
      if (offset + node.row_bytes > header_.region_bytes[region] ||
          (region == 0 && !IsFree({static_cast<uint32_t>(offset), node.row_bytes}))) {
        return Bad("a row lies outside its memory; compile the network again", index);
      }
    }
    return {};
  }

  bool IsFree(const Extent& row) const {
    return !row.Overlaps(State()) && !row.Overlaps(Scratch());
  }

  Status CheckComputed(uint32_t index) const {
    const Node& node = nodes_[index];
    if (node.kernel >= kKernelCount || kernels_.functions[node.kernel] == nullptr) {
      return {Code::kUnknownOperator, node.kernel,
              "the firmware lacks one of the kernels; build it for this network"};
    }
    if (!InProgram(node.params, 0) ||
        !InProgram(node.links, uint64_t{sizeof(Link)} * node.link_count)) {
      return Bad("a node's parts reach beyond the program; compile the network again", index);
    }
    const auto* links = reinterpret_cast<const Link*>(program_ + node.links);
    for (uint32_t i = 0; i < node.link_count; ++i) {
      const Link& link = links[i];
      const int64_t last = int64_t{node.rows - 1} * link.step;
      if (link.source >= index || link.divisor == 0 || last + link.high > INT32_MAX ||
          last + link.low > INT32_MAX) {
        return Bad("a node's source is damaged; compile the network again", index);
      }
    }
    return {};
  }

  const uint8_t* const program_;
  const Header& header_;
  const Node* const nodes_;
  const KernelTable& kernels_;
};

Status CheckHeader(ByteView program) {
  if (program.size < sizeof(Header) || !Aligned(program.data, 4)) {
    return Bad("no program, or not aligned to 4 bytes");
  }
  const auto& header = *reinterpret_cast<const Header*>(program.data);
  if (header.magic != kMagic) return Bad("no program: the magic number is missing");
  if (header.version != kVersion) {
    return Bad("the program is of another version; compile the network again", header.version);
  }
  if (header.bytes < sizeof(Header) || header.bytes > program.size) {
    return Bad("the program is cut off", header.bytes);
  }
  const uint32_t crc = Crc32Of({program.data + kCrcEnd, header.bytes - kCrcEnd});
  if (crc != header.crc32) {
    return {Code::kModelDamaged, crc, "the program's checksum differs; write it again"};
  }
  return {};
}

Status CheckRegions(const Header& header, const MutableBytes* regions, uint32_t region_count) {
  if (header.region_count == 0 || header.region_count > kMaxRegions ||
      header.region_count > region_count) {
    return {Code::kArenaTooSmall, header.region_count, "the program needs more memory regions"};
  }
  for (uint32_t i = 0; i < header.region_count; ++i) {
    if (regions[i].size < header.region_bytes[i]) {
      return {Code::kArenaTooSmall, header.region_bytes[i], "a memory region is too small"};
    }
    if (!Aligned(regions[i].data, 16)) return Bad("a memory region is not aligned to 16 bytes", i);
  }
  return {};
}

}  // namespace

Status CheckProgram(ByteView program, const KernelTable& kernels, const MutableBytes* regions,
                    uint32_t region_count) {
  Status status = CheckHeader(program);
  if (!status.ok()) return status;
  const auto& header = *reinterpret_cast<const Header*>(program.data);
  status = CheckRegions(header, regions, region_count);
  if (!status.ok()) return status;
  const Checker checker(program.data, kernels);
  status = checker.CheckTables();
  if (status.ok()) status = checker.CheckMemory();
  for (uint32_t i = 0; status.ok() && i < header.node_count; ++i) status = checker.CheckNode(i);
  return status;
}

}  // namespace engine
}  // namespace tinyseg
