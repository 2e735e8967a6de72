#include "core/model_check.h"

#include <gtest/gtest.h>

#include "tests/model_file.h"

namespace tinyseg {
namespace {

class ModelCheckTest : public ::testing::Test {
 protected:
  Status Check() {
    file_.Describe(&model_);
    return CheckModel(model_);
  }

  ModelFile file_;
  ModelDescription model_ = {};
};

TEST_F(ModelCheckTest, AcceptsAnIntactModel) { EXPECT_EQ(Check().code, Code::kOk); }

TEST_F(ModelCheckTest, FindsEveryFlippedBit) {
  for (size_t bit = 0; bit < 8 * ModelFile::kSize; ++bit) {
    const uint8_t mask = static_cast<uint8_t>(1 << bit % 8);
    file_.content()[bit / 8] ^= mask;
    const Status status = Check();
    ASSERT_EQ(status.code, Code::kModelDamaged) << bit;
    ASSERT_EQ(status.detail, Crc32Of(model_.content)) << bit;
    ASSERT_STREQ(status.text, "model's CRC-32 differs; flash the firmware again");
    file_.content()[bit / 8] ^= mask;
  }
  EXPECT_TRUE(Check().ok());
}

TEST_F(ModelCheckTest, FindsAnotherSha256) {
  for (size_t i = 0; i < kSha256Size; ++i) {
    file_.digest()[i] ^= 0x10;
    const Status status = Check();
    EXPECT_EQ(status.code, Code::kModelDamaged) << i;
    EXPECT_EQ(status.detail, model_.crc32) << i;
    EXPECT_STREQ(status.text, "model's SHA-256 differs; flash the firmware again");
    file_.digest()[i] ^= 0x10;
  }
}

TEST_F(ModelCheckTest, FindsAnotherCrc32) {
  file_.Describe(&model_);
  const uint32_t found = model_.crc32;
  for (int bit = 0; bit < 32; ++bit) {
    model_.crc32 = found ^ uint32_t { 1 } << bit;
    const Status status = CheckModel(model_);
    EXPECT_EQ(status.code, Code::kModelDamaged) << bit;
    EXPECT_EQ(status.detail, found) << bit;
    EXPECT_STREQ(status.text, "model's CRC-32 differs; flash the firmware again");
  }
}

TEST_F(ModelCheckTest, TellsOfDamageFirst) {
  file_.content()[7] = '2';
  EXPECT_EQ(Check().code, Code::kModelDamaged);
  file_.MoveTo(1);
  EXPECT_EQ(Check().code, Code::kModelDamaged);
}

TEST_F(ModelCheckTest, RefusesAFileThatIsNoFlatbufferOfTflite) {
  for (size_t i = 4; i < 8; ++i) {
    file_.content()[i] ^= 1;
    file_.Seal();
    const Status status = Check();
    EXPECT_EQ(status.code, Code::kModelMismatch) << i;
    EXPECT_EQ(status.detail, ModelFile::kSize) << i;
    EXPECT_STREQ(status.text, "content is no .tflite file; export it again");
    file_.content()[i] ^= 1;
  }
}

TEST_F(ModelCheckTest, TakesAnyBytesAroundTheIdentifier) {
  for (const size_t i : {0u, 3u, 8u, 99u}) file_.content()[i] ^= 0xFF;
  file_.Seal();
  EXPECT_TRUE(Check().ok());
}

TEST_F(ModelCheckTest, RefusesAFileTooShortForAnIdentifier) {
  for (size_t size = 0; size < 8; ++size) {
    file_.Resize(size);
    file_.Seal();
    const Status status = Check();
    EXPECT_EQ(status.code, Code::kModelMismatch) << size;
    EXPECT_EQ(status.detail, size);
  }
  file_.Resize(8);
  file_.Seal();
  EXPECT_TRUE(Check().ok());
}

TEST_F(ModelCheckTest, RefusesContentThatIsNotAligned) {
  for (size_t offset = 1; offset < 16; ++offset) {
    file_.MoveTo(offset);
    const Status status = Check();
    EXPECT_EQ(status.code, Code::kModelMismatch) << offset;
    EXPECT_EQ(status.detail, 16u) << offset;
    EXPECT_STREQ(status.text, "model is not aligned to 16 bytes; export it again");
  }
  file_.MoveTo(0);
  EXPECT_TRUE(Check().ok());
}

}  // namespace
}  // namespace tinyseg
