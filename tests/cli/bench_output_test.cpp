// Numbers, tables and merged rounds of `nolens bench`.
#include "bench_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/error.h"

namespace nolens::cli {
namespace {

using ::testing::HasSubstr;

BenchResult result(const char* test, std::int64_t tokens, double seconds) {
  BenchResult r;
  r.test = test;
  r.tokens = tokens;
  r.seconds_median = r.seconds_min = seconds;
  if (tokens > 0) {
    r.tokens_per_second = static_cast<double>(tokens) / seconds;
  }
  r.peak_rss_bytes = std::int64_t{100} << 20;
  return r;
}

BenchResult decode(double seconds, double before, double after) {
  BenchResult r = result("decode", 10, seconds);
  r.probes = {before, after, before};
  return r;
}

TEST(ShortFigure, KeepsThreeDigitsButNoWholeOnesAway) {
  EXPECT_EQ(short_figure(0.0), "0");
  EXPECT_EQ(short_figure(0.012345), "0.0123");
  EXPECT_EQ(short_figure(1.2345), "1.23");
  EXPECT_EQ(short_figure(98.76), "98.8");
  EXPECT_EQ(short_figure(123.4), "123");
  EXPECT_EQ(short_figure(123456.7), "123457");
}

TEST(FormatTable, AlignsTextByColumnsOfUtf8) {
  EXPECT_EQ(format_table({{"a", "number"}, {"ééé", "1"}}, TableStyle::kText),
            "a    number\nééé       1\n");
}

TEST(FormatTable, QuotesCsvAsRfc4180Says) {
  EXPECT_EQ(format_table({{"a,b", "say \"x\"", "plain"}}, TableStyle::kCsv),
            "\"a,b\",\"say \"\"x\"\"\",plain\n");
}

TEST(FormatTable, EscapesBarsInMarkdown) {
  EXPECT_EQ(format_table({{"a|b", "n"}, {"c", "1"}}, TableStyle::kMarkdown),
            "| a\\|b | n |\n| --- | ---: |\n| c | 1 |\n");
}

TEST(ResultsTable, CsvHasEveryFieldAndEmptyCellsForWhatATestDoesNotHave) {
  const std::string csv = results_table({result("load", 0, 2.5)}, TableStyle::kCsv);
  EXPECT_THAT(csv, HasSubstr("engine,model,test,tokens,context,tokens_per_second,share_of_peak,"
                             "bandwidth_gb_per_second,share_of_bandwidth,peak_rss_bytes"));
  EXPECT_THAT(csv, HasSubstr("nolens,,load,0,0,,,,,104857600,"));
}

TEST(RatioTable, IsAboveOneWhereWeAreFasterAndWhereWeNeedLess) {
  BenchResult peer_prefill = result("prefill", 64, 2.0);
  BenchResult peer_load = result("load", 0, 3.0);
  peer_prefill.engine = peer_load.engine = "other";
  peer_load.peak_rss_bytes *= 4;
  const std::string table =
      ratio_table({result("load", 0, 1.5), result("prefill", 64, 1.0), result("prefill", 7, 1.0)},
                  {{peer_prefill, peer_load}}, TableStyle::kCsv);
  EXPECT_EQ(table,
            "test,nolens,other,times better\n"
            "load,1.50 s,3.00 s,2.00\n"
            "prefill 64,64.0 t/s,32.0 t/s,2.00\n"
            "prefill 7,7.00 t/s,,\n"
            "peak memory,100 MiB,400 MiB,4.00\n");
}

TEST(MergeRounds, TakesTheMedianRoundAndTheLeastTimeAndTheMostMemory) {
  std::vector<std::vector<BenchResult>> rounds{
      {result("prefill", 64, 3.0)}, {result("prefill", 64, 1.0)}, {result("prefill", 64, 2.0)}};
  rounds[1][0].peak_rss_bytes *= 2;
  const std::vector<BenchResult> merged = merge_rounds(rounds);
  ASSERT_EQ(merged.size(), 1U);
  EXPECT_DOUBLE_EQ(merged[0].seconds_median, 2.0);
  EXPECT_DOUBLE_EQ(*merged[0].tokens_per_second, 32.0);
  EXPECT_DOUBLE_EQ(merged[0].seconds_min, 1.0);
  EXPECT_EQ(merged[0].repeats, 3);
  EXPECT_EQ(merged[0].peak_rss_bytes, std::int64_t{200} << 20);
}

TEST(MergeRounds, LeavesOutRoundsInWhichMemoryBandwidthChanged) {
  const std::vector<BenchResult> merged = merge_rounds(
      {{decode(1.0, 50e9, 50e9)}, {decode(5.0, 50e9, 30e9)}, {decode(6.0, 50e9, 30e9)}});
  EXPECT_DOUBLE_EQ(merged[0].seconds_median, 1.0);
  EXPECT_EQ(merged[0].repeats, 3);
}

TEST(MergeRounds, UsesDisturbedRoundsWhereThereAreNoOthers) {
  const std::vector<BenchResult> merged =
      merge_rounds({{decode(5.0, 50e9, 30e9)}, {decode(6.0, 50e9, 30e9)}});
  EXPECT_DOUBLE_EQ(merged[0].seconds_median, 6.0);
}

TEST(ParseResults, ReadsWhatResultJsonWrites) {
  BenchResult r = decode(0.5, 50e9, 49e9);
  r.context = 4096;
  r.share_of_bandwidth = 0.9;
  r.stages = {1.0, 2.0, 3.0, 4.0};
  r.engine = "other \"one\"";
  const OutputJson array = OutputJson::array({result_json(r)});
  const std::vector<BenchResult> back = parse_results(array.dump(), "command");
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(result_json(back[0]), array[0]);
}

TEST(ParseResults, RefusesWhatIsNoArrayOfResults) {
  for (const char* text :
       {"", "{}", "[1]", "[{\"test\":\"walk\"}]", "[{\"test\":\"load\"}", "[{}]"}) {
    EXPECT_THROW(parse_results(text, "command"), Error) << text;
  }
}

TEST(ParseResults, TakesNonsenseNumbersAsMissing) {
  const std::vector<BenchResult> results = parse_results(
      R"([{"test":"prefill","tokens":1e300,"context":-5,"tokens_per_second":-1,"threads":"two"}])",
      "peer");
  EXPECT_FALSE(results[0].tokens_per_second.has_value());
  EXPECT_EQ(results[0].context, 0);
  EXPECT_EQ(results[0].threads, 0);
  EXPECT_EQ(results[0].engine, "peer");
}

}  // namespace
}  // namespace nolens::cli
