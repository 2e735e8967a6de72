#include "core/sha256.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/wire.h"

namespace tinyseg {
namespace {

Bytes Digest(const Bytes& bytes) {
  Bytes digest(kSha256Size);
  Sha256(ViewOf(bytes), digest.data());
  return digest;
}

std::string Hex(const Bytes& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string HexDigest(const std::string& text) {
  return Hex(Digest(Bytes(text.begin(), text.end())));
}

TEST(Sha256Test, GivesTheVectorsOfFips180) {
  EXPECT_EQ(HexDigest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HexDigest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HexDigest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(HexDigest("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
                      "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
}

TEST(Sha256Test, HashesAMillionBytes) {
  EXPECT_EQ(HexDigest(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256Test, HashesAnEmptyViewWithoutMemory) {
  Bytes digest(kSha256Size);
  Sha256({}, digest.data());
  EXPECT_EQ(Hex(digest), HexDigest(""));
}

struct Vector {
  size_t length;
  const char* digest;
};

class Sha256PaddingTest : public ::testing::TestWithParam<Vector> {};

// Digests of so many letters 'a', by Python's hashlib.
TEST_P(Sha256PaddingTest, HashesLengthsAroundABlock) {
  EXPECT_EQ(HexDigest(std::string(GetParam().length, 'a')), GetParam().digest);
}

INSTANTIATE_TEST_SUITE_P(
    Lengths, Sha256PaddingTest,
    ::testing::Values(
        Vector{1, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"},
        Vector{54, "a3f01b6939256127582ac8ae9fb47a382a244680806a3f613a118851c1ca1d47"},
        Vector{55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
        Vector{56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
        Vector{57, "f13b2d724659eb3bf47f2dd6af1accc87b81f09f59f2b75e5c0bed6589dfe8c6"},
        Vector{63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"},
        Vector{64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
        Vector{65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"},
        Vector{119, "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb"},
        Vector{120, "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c"},
        Vector{127, "c57e9278af78fa3cab38667bef4ce29d783787a2f731d4e12200270f0c32320a"},
        Vector{128, "6836cf13bac400e9105071cd6af47084dfacad4e5e302c94bfed24e013afb73e"},
        Vector{129, "c12cb024a2e5551cca0e08fce8f1c5e314555cc3fef6329ee994a3db752166ae"}),
    [](const auto& info) { return std::to_string(info.param.length); });

TEST(Sha256Test, HashesEveryLengthUpTo200) {
  // The digest of all digests; message n is bytes((7 * i + 1) % 256 for i in range(n)).
  Bytes message;
  Bytes digests;
  for (size_t length = 0; length <= 200; ++length) {
    digests = digests + Digest(message);
    message.push_back(static_cast<uint8_t>(7 * length + 1));
  }
  EXPECT_EQ(Hex(Digest(digests)),
            "a762260eaf7d0bf0f3e5c702dd2bc7de18bb629df9cad5b668d384084812f4f8");
}

TEST(Sha256Test, DoesNotDependOnAlignment) {
  Bytes bytes(200, 0x5A);
  const Bytes expected = Digest(Bytes(150, 0x5A));
  for (size_t offset = 0; offset < 8; ++offset) {
    Bytes digest(kSha256Size);
    Sha256({bytes.data() + offset, 150}, digest.data());
    EXPECT_EQ(digest, expected) << offset;
  }
}

}  // namespace
}  // namespace tinyseg
