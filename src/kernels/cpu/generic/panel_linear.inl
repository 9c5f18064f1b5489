// Integers with low and high parts (SplitRows) times panels.
//
// A pair of panels is expanded group by group into a buffer in the level 1 cache (17 to 20 KiB),
// which all rows of x then pass: at 64 rows and more the expansion is a few per cent. Of a single
// panel the codes are taken as they stream by, which suits few rows: one stream is what the
// processor fetches ahead best.
//
// What works on whole groups is not inlined into the loop over groups and gets the group's shape as
// a constant: the compiler then keeps every address in an instruction and nothing in flags.
#pragma once

#include "kernels/cpu/generic/panel_stream.inl"
#include "kernels/cpu/generic/quantize_split.inl"

namespace nolens {
namespace {

/// Where the next group of kPanels panels is, and what is known of them.
template <class Lanes, int kPanels>
struct PanelGroups {
  PanelSource sources[kPanels];
  const unsigned char* bytes[kPanels];
  typename Lanes::Bytes tables[kPanels];
  typename Lanes::Bytes fine_tables[kPanels];
  float steps[kPanels];
  OuterScales outer[kPanels];
};

/// How panels fall into tiles.
template <class Lanes, int kPanels>
struct PanelShape {
  static constexpr int kVectors = kPanels * static_cast<int>(kPanelRows) / Lanes::kLanes;
  static constexpr int kColumns = Lanes::kColumns < kVectors ? Lanes::kColumns : kVectors;
  static constexpr int kPerPanel = static_cast<int>(kPanelRows) / Lanes::kLanes;
};

/// Vectors [v, v + kColumns) of weight rows for rows [m, m + kT) of x; column(v) is vector v.
template <class Lanes, PanelFormat kFormat, bool kWhole, int kPanels, int kT, class MakeColumn>
[[gnu::always_inline]] inline void multiply_tile(const PanelPairArgs& a, std::int64_t group,
                                                 std::int64_t columns, int v, std::int64_t m,
                                                 const MakeColumn& column) noexcept {
  using Shape = PanelShape<Lanes, kPanels>;
  constexpr int kC = Shape::kColumns;
  decltype(column(0)) w[kC];
  float* y[kC];
  for (int c = 0; c < kC; ++c) {
    w[c] = column(v + c);
    y[c] = a.y[(v + c) / Shape::kPerPanel] + (m - a.m0) * kPanelRows + w[c].lane;
  }
  panel_tile<Lanes, kFormat, kWhole, kT>(split_group<kFormat>(a.x, group, m), columns, w, y);
}

/// Fetches what follows a group of kPanels panels while the rows of x pass it, some lines with each
/// tile: as many at once as a group has would hold up the products.
template <PanelFormat kFormat, int kPanels>
class NextLines {
 public:
  template <class Lanes>
  NextLines(const PanelPairArgs& a, const PanelGroups<Lanes, kPanels>& panels, std::int64_t k0,
            std::int64_t tiles) noexcept
      : each_((kBytes / kCodeVectorBytes + tiles - 1) / tiles * kCodeVectorBytes) {
    for (int p = 0; p < kPanels; ++p) {
      next_[p] = a.k1 - k0 > kGroupColumns ? panels.bytes[p] + kBytes : a.next[p];
    }
    left_ = next_[0] == nullptr ? 0 : kBytes;
  }

  void fetch_some() noexcept {
    for (std::int64_t i = 0; i < each_ && left_ > 0; i += kCodeVectorBytes) {
      for (const unsigned char* next : next_) {
        __builtin_prefetch(next + (kBytes - left_), 0, 3);
      }
      left_ -= kCodeVectorBytes;
    }
  }

 private:
  static constexpr std::int64_t kBytes = kWholeGroup<kFormat>.at.bytes;
  const unsigned char* next_[kPanels];
  std::int64_t each_;
  std::int64_t left_ = 0;
};

/// Expanded groups for all rows of x.
template <class Lanes, PanelFormat kFormat, bool kWhole, int kPanels>
[[gnu::always_inline]] inline void multiply_tiles(const PanelPairArgs& a, std::int64_t k0,
                                                  const GroupShape& shape,
                                                  const ExpandedGroup (&groups)[kPanels],
                                                  NextLines<kFormat, kPanels>& next) noexcept {
  using Shape = PanelShape<Lanes, kPanels>;
  const auto column = [&groups](int v) noexcept {
    return ExpandedColumn<Lanes>{groups + v / Shape::kPerPanel,
                                 v % Shape::kPerPanel * Lanes::kLanes};
  };
  const std::int64_t group = k0 / kGroupColumns;
  for (int v = 0; v < Shape::kVectors; v += Shape::kColumns) {
    std::int64_t m = a.m0;
    for (; m + Lanes::kTokens <= a.m1; m += Lanes::kTokens) {
      next.fetch_some();
      multiply_tile<Lanes, kFormat, kWhole, kPanels, Lanes::kTokens>(a, group, shape.columns, v, m,
                                                                     column);
    }
    for (; m < a.m1; ++m) {
      multiply_tile<Lanes, kFormat, kWhole, kPanels, 1>(a, group, shape.columns, v, m, column);
    }
  }
}

/// A group of columns from k0 on, for all rows of x. The second bytes of a codebook are a second
/// turn with the same buffer.
template <class Lanes, PanelFormat kFormat, bool kWhole, int kPanels>
[[gnu::always_inline]] inline void multiply_expanded(const PanelPairArgs& a,
                                                     PanelGroups<Lanes, kPanels>& panels,
                                                     std::int64_t k0, const GroupShape& shape,
                                                     ExpandedGroup (&groups)[kPanels]) noexcept {
  using Shape = PanelShape<Lanes, kPanels>;
  constexpr std::int64_t kStrips = Shape::kVectors / Shape::kColumns;
  NextLines<kFormat, kPanels> next(a, panels, k0, kStrips * ((a.m1 - a.m0) / Lanes::kTokens + 1));
  for (int p = 0; p < kPanels; ++p) {
    expand_scales<kFormat>(panels.sources[p], panels.bytes[p], k0, shape, panels.steps[p],
                           panels.outer[p], groups[p]);
    expand_codes<Lanes, kFormat>(panels.bytes[p], shape, panels.tables[p], groups[p]);
  }
  multiply_tiles<Lanes, kFormat, kWhole>(a, k0, shape, groups, next);
  if constexpr (kHasFineCodebook<kFormat>) {
    if (a.fine_codebook) {
      for (int p = 0; p < kPanels; ++p) {
        expand_scales<kFormat>(panels.sources[p], panels.bytes[p], k0, shape,
                               panels.steps[p] * kFineStep, panels.outer[p], groups[p]);
        expand_codes<Lanes, kFormat>(panels.bytes[p], shape, panels.fine_tables[p], groups[p]);
      }
      multiply_tiles<Lanes, kFormat, kWhole>(a, k0, shape, groups, next);
    }
  }
}

template <class Lanes, PanelFormat kFormat, int kPanels>
[[gnu::noinline]] void multiply_whole_group(const PanelPairArgs& a,
                                            PanelGroups<Lanes, kPanels>& panels, std::int64_t k0,
                                            ExpandedGroup (&groups)[kPanels]) noexcept {
  multiply_expanded<Lanes, kFormat, true>(a, panels, k0, kWholeGroup<kFormat>, groups);
}

template <class Lanes, PanelFormat kFormat, int kPanels>
[[gnu::noinline]] void multiply_short_group(const PanelPairArgs& a,
                                            PanelGroups<Lanes, kPanels>& panels, std::int64_t k0,
                                            ExpandedGroup (&groups)[kPanels]) noexcept {
  multiply_expanded<Lanes, kFormat, false>(a, panels, k0, group_shape<kFormat>(a.k, k0), groups);
}

/// A whole group of one panel for all rows of x, without the buffer of codes.
template <class Lanes, PanelFormat kFormat, bool kFine>
[[gnu::noinline]] void multiply_streamed_group(const PanelPairArgs& a,
                                               PanelGroups<Lanes, 1>& panels, std::int64_t k0,
                                               ExpandedGroup& scales) noexcept {
  using Shape = PanelShape<Lanes, 1>;
  constexpr int kT = Lanes::kTokens;
  StreamedGroup<Lanes, kFormat> streamed{
      panels.sources[0], panels.bytes[0], k0,    panels.tables[0], panels.fine_tables[0],
      panels.steps[0],   panels.outer[0], scales};
  const auto column = [&](int v) noexcept {
    return StreamedColumn<Lanes, kFormat, kFine>{&streamed, v * Lanes::kLanes};
  };
  const std::int64_t group = k0 / kGroupColumns;
  // With a tile or two the processor fetches ahead by itself; later ones find the group in its
  // cache, and it would stop.
  NextLines<kFormat, 1> next(a, panels, k0,
                             (a.m1 - a.m0) / kT * Shape::kVectors / Shape::kColumns + 1);
  for (int v = 0; v < Shape::kVectors; v += Shape::kColumns) {
    std::int64_t m = a.m0;
    for (; m + kT <= a.m1; m += kT) {
      if (a.m1 - a.m0 > kT) {
        next.fetch_some();
      }
      multiply_tile<Lanes, kFormat, true, 1, kT>(a, group, kGroupColumns, v, m, column);
    }
    if constexpr (kT > 2) {
      for (; m + 2 <= a.m1; m += 2) {
        multiply_tile<Lanes, kFormat, true, 1, 2>(a, group, kGroupColumns, v, m, column);
      }
    }
    for (; m < a.m1; ++m) {
      multiply_tile<Lanes, kFormat, true, 1, 1>(a, group, kGroupColumns, v, m, column);
    }
  }
}

/// Zeroes y where columns begin, and finds the groups.
template <class Lanes, PanelFormat kFormat, int kPanels>
inline PanelGroups<Lanes, kPanels> first_groups(const PanelPairArgs& a) noexcept {
  PanelGroups<Lanes, kPanels> panels;
  for (int p = 0; p < kPanels; ++p) {
    panels.sources[p] = {a.panels[p], a.scales[p], a.first_rows[p], a.k};
    panels.bytes[p] = a.panels[p] + a.k0 / kGroupColumns * kWholeGroup<kFormat>.at.bytes;
    panels.tables[p] = code_table<Lanes, kFormat>(panels.sources[p]);
    panels.fine_tables[p] = fine_table<Lanes, kFormat>(panels.sources[p]);
    panels.steps[p] = code_step<kFormat>(panels.sources[p]);
    if (a.k0 == 0) {
      __builtin_memset(a.y[p], 0,
                       sizeof(float) * static_cast<std::size_t>((a.m1 - a.m0) * kPanelRows));
    }
  }
  return panels;
}

/// Calls whole(panels, k) for each whole group of columns, and the end for a shorter last one.
template <class Lanes, PanelFormat kFormat, int kPanels, class Whole>
inline void multiply_groups(const PanelPairArgs& a, ExpandedGroup (&groups)[kPanels],
                            const Whole& whole) noexcept {
  auto panels = first_groups<Lanes, kFormat, kPanels>(a);
  std::int64_t k = a.k0;
  for (; a.k1 - k >= kGroupColumns; k += kGroupColumns) {
    whole(panels, k);
    for (int p = 0; p < kPanels; ++p) {
      panels.bytes[p] += kWholeGroup<kFormat>.at.bytes;
    }
  }
  if (k < a.k1) {
    multiply_short_group<Lanes, kFormat>(a, panels, k, groups);
  }
}

template <class Lanes, PanelFormat kFormat, bool kFine>
void stream_panel(const PanelPairArgs& a) noexcept {
  ExpandedGroup group[1];
  multiply_groups<Lanes, kFormat, 1>(a, group, [&](auto& panels, std::int64_t k) noexcept {
    multiply_streamed_group<Lanes, kFormat, kFine>(a, panels, k, group[0]);
  });
}

template <class Lanes, PanelFormat kFormat>
void panel_pair(const PanelPairArgs& a) noexcept {
  if (a.panels[1] != nullptr) {
    ExpandedGroup groups[2];
    multiply_groups<Lanes, kFormat, 2>(a, groups, [&](auto& panels, std::int64_t k) noexcept {
      multiply_whole_group<Lanes, kFormat>(a, panels, k, groups);
    });
  } else if (kHasFineCodebook<kFormat> && a.fine_codebook) {
    stream_panel<Lanes, kFormat, kHasFineCodebook<kFormat>>(a);
  } else {
    stream_panel<Lanes, kFormat, false>(a);
  }
}

}  // namespace
}  // namespace nolens
