// Decoded pictures of any pixel format -> RGB, upright.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

extern "C" {
#include <libavformat/avformat.h>
#include <libavutil/frame.h>
#include <libswscale/swscale.h>
}

namespace nolens::media_app {

/// How a picture is turned for display: x' = fx(x) or, transposed, fx(y).
struct Turn {
  bool transpose = false;
  bool flip_x = false;  ///< in the result
  bool flip_y = false;
};
/// The nearest turn to the track's display matrix by multiples of 90 degrees, with mirroring.
Turn turn_of(const AVStream& stream);

struct Rgb {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::vector<std::uint8_t> pixels;  ///< [height, width, 3]
};

/// Converts the frames of one track.
class RgbConverter {
 public:
  /// `white`: transparent pixels over white, else alpha is dropped.
  RgbConverter(Turn turn, bool white) : turn_(turn), white_(white) {}
  /// \throws Failure, std::bad_alloc
  Rgb convert(const AVFrame& frame);

 private:
  struct Free {
    void operator()(SwsContext* context) const noexcept { sws_freeContext(context); }
    void operator()(std::uint8_t* memory) const noexcept;
  };
  void prepare(const AVFrame& frame);

  Turn turn_;
  bool white_;
  std::unique_ptr<SwsContext, Free> context_;
  int width_ = 0;
  int height_ = 0;
  int format_ = -1;
  int colorspace_ = -1;
  int range_ = -1;
  bool alpha_ = false;
  int stride_ = 0;
  std::unique_ptr<std::uint8_t, Free> plane_;  // as libswscale writes it: padded rows
};

}  // namespace nolens::media_app
