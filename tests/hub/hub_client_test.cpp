// Retries, sentences for refusals, and what must agree before a file is fetched.
#include "hub/hub_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/error.h"

#include "hub/fetch.h"

namespace nolens::hub {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(RetryPauses, DoubleAndEnd) {
  std::vector<double> pauses;
  Retries retries(6, [&](double seconds) { pauses.push_back(seconds); });
  while (retries.next(std::nullopt, false)) {
  }
  EXPECT_THAT(pauses, ElementsAre(0.5, 1.0, 2.0, 4.0, 8.0, 8.0));
}

TEST(RetryPauses, ProgressStartsTheCountAnewButNotForever) {
  int pauses = 0;
  Retries retries(1, [&](double seconds) {
    EXPECT_EQ(seconds, 0.0);
    ++pauses;
  });
  while (retries.next(std::nullopt, true)) {
    ASSERT_LT(pauses, 1000);
  }
  EXPECT_GT(pauses, 100);
}

TEST(RetryPauses, FollowTheServersWishWithinReason) {
  std::vector<double> pauses;
  Retries retries(5, [&](double seconds) { pauses.push_back(seconds); });
  EXPECT_TRUE(retries.next(17, false));
  EXPECT_FALSE(retries.next(3600, false));
  EXPECT_THAT(pauses, ElementsAre(17.0));
}

TEST(WithRetries, GivesUpWithTheLastReason) {
  int attempts = 0;
  try {
    with_retries(Retries(2, [](double) {}), "asking",
                 [&] {
                   ++attempts;
                   throw TransferFailure("cut " + std::to_string(attempts), true);
                 },
                 {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kResource);
    EXPECT_STREQ(error.what(), "asking: cut 3");
  }
}

TEST(WithRetries, DoesNotRepeatWhatCannotHelp) {
  int attempts = 0;
  EXPECT_THROW(with_retries(Retries(5, [](double) {}), "asking",
                            [&] {
                              ++attempts;
                              throw TransferFailure("certificate", false);
                            },
                            {}),
               Error);
  EXPECT_EQ(attempts, 1);
}

std::string refusal(int status, const char* code, const char* message, const char* token = "") {
  HubSettings settings;
  settings.endpoint = "https://hub";
  settings.token = token;
  settings.token_source = *token == '\0' ? "" : "HF_TOKEN";
  return refusal_text(HttpHead{status, {{"x-error-code", code}, {"x-error-message", message}}},
                      {"org/name", "v1", "f.txt"}, settings);
}

TEST(Refusal, SaysWhatToDo) {
  EXPECT_THAT(refusal(403, "GatedRepo", ""), HasSubstr("accept its terms at https://hub/org/name"));
  EXPECT_THAT(refusal(401, "RepoNotFound", ""), HasSubstr("set HF_TOKEN"));
  EXPECT_THAT(refusal(404, "RepoNotFound", "", "secret"), HasSubstr("token from HF_TOKEN"));
  EXPECT_THAT(refusal(404, "RevisionNotFound", ""), HasSubstr("no revision 'v1'"));
  EXPECT_THAT(refusal(404, "EntryNotFound", ""), HasSubstr("no file 'f.txt'"));
  EXPECT_THAT(refusal(401, "", "Invalid credentials in Authorization header", "secret"),
              HasSubstr("does not accept the access token from HF_TOKEN"));
  EXPECT_THAT(refusal(403, "", "Access to this resource is disabled."), HasSubstr("disabled"));
  EXPECT_THAT(refusal(403, "", "\x1b[2J"), HasSubstr("\\x1b[2J"));
  EXPECT_THAT(refusal(410, "", "gone"), HasSubstr("status 410 for org/name: gone"));
  EXPECT_THAT(refusal(403, "GatedRepo", "", "secret"), testing::Not(HasSubstr("secret")));
}

const std::string kCommit(40, 'c');
const std::string kSha1(40, 'a');
const std::string kSha256(64, 'b');

RemoteFile described(const std::string& etag, const RepoFile& file) {
  return describe(FileHead{kCommit, etag, file.bytes}, Subject{"org/name", kCommit, file.name},
                  file);
}

TEST(Description, ChoosesTheChecksum) {
  const RemoteFile large = described("\"" + kSha256 + "\"", {"w", 9, kSha1, kSha256});
  EXPECT_EQ(large.blob, kSha256);
  EXPECT_STREQ(large.expected.checksum_name(), "sha256");
  const RemoteFile small = described("\"" + kSha1 + "\"", {"w", 9, kSha1, {}});
  EXPECT_STREQ(small.expected.checksum_name(), "git-sha1");
  const RemoteFile opaque = described("\"md5-like\"", {"w", 9, kSha1, kSha256});
  EXPECT_EQ(opaque.blob, "md5-like");
  EXPECT_EQ(opaque.expected.sha256, kSha256);
  EXPECT_STREQ(described("\"x\"", {"w", 9, {}, {}}).expected.checksum_name(), "");
}

TEST(Description, ContradictionsAreRefused) {
  const RepoFile file{"w", 9, kSha1, kSha256};
  const Subject subject{"org/name", kCommit, "w"};
  const std::string etag = "\"" + kSha256 + "\"";
  EXPECT_THROW(describe(FileHead{std::string(40, 'd'), etag, 9}, subject, file), Error);
  EXPECT_THROW(describe(FileHead{"", etag, 9}, subject, file), Error);
  EXPECT_THROW(describe(FileHead{kCommit, etag, 8}, subject, file), Error);
  EXPECT_THROW(describe(FileHead{kCommit, "\"../x\"", 9}, subject, file), Error);
  EXPECT_THROW(described("\"" + std::string(64, 'e') + "\"", file), Error);
  EXPECT_THROW(described("\"" + std::string(40, 'e') + "\"", {"w", 9, kSha1, {}}), Error);
  EXPECT_NO_THROW(describe(FileHead{kCommit, etag, std::nullopt}, subject, file));
}

}  // namespace
}  // namespace nolens::hub
