// SHA-256 (FIPS 180-4).
#ifndef TINYSEG_CORE_SHA256_H_
#define TINYSEG_CORE_SHA256_H_

#include "core/bytes.h"

namespace tinyseg {

constexpr size_t kSha256Size = 32;

// Writes the digest of `bytes` into `digest`, kSha256Size bytes.
void Sha256(ByteView bytes, uint8_t* digest);

}  // namespace tinyseg

#endif  // TINYSEG_CORE_SHA256_H_
