// Decoded media that a prompt may hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace nolens {

/// What becomes of an alpha channel. The reference implementation drops it (kDrop).
enum class AlphaMode : std::uint8_t { kDrop, kWhite };

/// Limits that are checked against a picture's header before its pixels are decoded.
struct ImageLimits {
  std::int64_t max_pixels = 64'000'000;  ///< width * height
  std::int64_t max_side = 65'535;        ///< pixels
  int max_jpeg_scans = 500;              ///< a progressive JPEG with more is refused
  std::int64_t max_images = 16;          ///< pictures in one messages document
  std::int64_t max_total_bytes = std::int64_t{512} << 20;  ///< their decoded pixels together
};

/// A picture: 8-bit RGB, row-major, rows without padding. Copies share the pixels, which never change.
class Image {
 public:
  Image() = default;

  /// Decodes JPEG, PNG or WebP, told apart by their first bytes, and applies the EXIF orientation
  /// (XMP's where EXIF has none). The pixels are Pillow's convert("RGB"), as the reference loader
  /// has them: grey is replicated, palettes expanded, 16-bit samples reduced to their high byte
  /// (16-bit grey without alpha is clipped at 255 instead), CMYK converted. Of an animation the
  /// first frame counts. `name` stands for the picture in error messages.
  /// \throws Error{kInput} if the data is no picture of these kinds, is cut or is corrupt;
  ///         Error{kResource} if it exceeds `limits`.
  static Image decode(std::span<const std::byte> file, const std::string& name,
                      const ImageLimits& limits = {}, AlphaMode alpha = AlphaMode::kDrop);

  /// Takes width * height * 3 bytes. \throws Error{kUsage} on another size.
  static Image from_rgb8(std::int64_t width, std::int64_t height, std::vector<std::uint8_t> rgb);

  /// The same pixels as what became of a picture of width * height pixels by scaling: models ask
  /// for the size that that one would have been given. \throws Error{kUsage} unless both are at
  /// least 1.
  [[nodiscard]] Image scaled_from(std::int64_t width, std::int64_t height) const;

  /// The rectangle at (x, y), as a picture of its own. \throws Error{kUsage} unless it lies inside.
  [[nodiscard]] Image cropped(std::int64_t x, std::int64_t y, std::int64_t width,
                              std::int64_t height) const;

  [[nodiscard]] std::int64_t width() const noexcept { return width_; }
  [[nodiscard]] std::int64_t height() const noexcept { return height_; }
  /// Size before any scaling; width() and height() unless scaled_from() says otherwise.
  [[nodiscard]] std::int64_t source_width() const noexcept { return source_width_; }
  [[nodiscard]] std::int64_t source_height() const noexcept { return source_height_; }
  [[nodiscard]] std::span<const std::uint8_t> rgb() const noexcept {  ///< [H, W, 3]
    return rgb_ == nullptr
               ? std::span<const std::uint8_t>()
               : std::span<const std::uint8_t>(rgb_.get(),
                                               static_cast<std::size_t>(width_ * height_ * 3));
  }

 private:
  std::int64_t width_ = 0;
  std::int64_t height_ = 0;
  std::int64_t source_width_ = 0;
  std::int64_t source_height_ = 0;
  std::shared_ptr<const std::uint8_t> rgb_;  ///< first of the pixels
};

/// The picture as a baseline JPEG with 4:2:0 chroma. `quality` 1…100. \throws Error{kUsage} for a picture without
/// pixels or too large for JPEG, Error{kResource} if memory is short.
std::vector<std::byte> encode_jpeg(const Image& image, int quality);

/// Samples per second of every Audio.
inline constexpr std::int64_t kAudioSampleRate = 16'000;

/// A sound: one channel, kAudioSampleRate samples a second, finite. Full scale is [-1, 1]; lossy codings
/// and float files may exceed it, nothing is clipped.
struct Audio {
  std::vector<float> samples;
  [[nodiscard]] double seconds() const noexcept {
    return static_cast<double>(samples.size()) / static_cast<double>(kAudioSampleRate);
  }
};

/// A clip: some of its frames in order, all of one size. Sound is not part of it.
struct VideoFrame {
  Image image;
  double seconds = 0.0;  ///< since the beginning of the clip
};
struct Video {
  std::vector<VideoFrame> frames;
  std::int64_t source_frames = 0;  ///< frames the clip had
  double source_fps = 0.0;         ///< frames per second; 24 where the clip does not say
};

/// Limits of sound and clips; counted while decoding, never taken from a header.
struct ClipLimits {
  double max_audio_seconds = 3600.0;
  double max_video_seconds = 3600.0;
  std::int64_t max_video_frames = 1'000'000;  ///< frames in the clip
  std::int64_t max_video_side = 8192;         ///< pixels
  std::int64_t max_decoded_bytes = std::int64_t{512} << 20;  ///< of what comes back
  double decode_seconds = 60.0;               ///< processor time, and twice that by the clock
  /// Address space of the decoder, beyond its libraries and the file.
  std::int64_t memory_bytes = std::int64_t{1} << 30;
};

/// Sound and clips are decoded by the program nolens-media, a process without rights: no files, no
/// network, bounded time and memory. `program` empty = beside the running program, or where the
/// environment variable NOLENS_MEDIA says.
struct MediaOptions {
  ImageLimits image{};
  ClipLimits clip{};
  AlphaMode alpha = AlphaMode::kDrop;
  std::int64_t video_frames = 32;  ///< frames kept of a clip in a messages document
  std::int64_t max_frames = 256;   ///< the most that a document may ask for, of one clip
  std::filesystem::path program{};
};

/// What a file is, by its first bytes; the name's ending does not count.
enum class MediaKind : std::uint8_t { kUnknown, kImage, kAudio, kVideo };
/// `file` is the beginning of the file, 4 KiB are enough. A container that may hold either (MP4, WebM, MKV) is
/// kVideo; decode_audio() takes those too. OGG and M4A are kAudio. GIF is kImage; decode_video() takes it too.
[[nodiscard]] MediaKind sniff_media(std::span<const std::byte> file) noexcept;

/// Decodes JPEG, PNG and WebP as Image::decode does, GIF (first frame) and BMP through nolens-media.
Image decode_image(std::span<const std::byte> file, const std::string& name,
                   const MediaOptions& options = {});
/// Decodes WAV, FLAC, MP3, OGG, M4A or the sound of a clip; channels are averaged, any rate is resampled.
/// `name` stands for the file in error messages. \throws Error{kInput} if it is no sound, empty, cut or
/// corrupt, or holds values that are not finite; Error{kResource} beyond `options.clip`, or if
/// nolens-media cannot be started.
Audio decode_audio(std::span<const std::byte> file, const std::string& name,
                   const MediaOptions& options = {});
/// Decodes MP4, MKV, WebM or GIF. Of N frames those with index floor(i * N / max_frames) are kept, all if
/// N <= max_frames; seconds = index / fps.   \throws as decode_audio()
Video decode_video(std::span<const std::byte> file, const std::string& name, std::int64_t max_frames,
                   const MediaOptions& options = {});

}  // namespace nolens
