// A caller of libjpeg's compressor; its default error handler ends the program, which a test may.
#include "media/jpeg_writer.h"

#include <cstdio>
#include <cstdlib>
#include <jpeglib.h>

namespace nolens {
namespace {

J_COLOR_SPACE input_space(JpegColour colour) {
  switch (colour) {
    case JpegColour::kGrey: return JCS_GRAYSCALE;
    case JpegColour::kYcc:
    case JpegColour::kRgb: return JCS_RGB;
    case JpegColour::kCmyk:
    case JpegColour::kYcck: return JCS_CMYK;
  }
  return JCS_UNKNOWN;
}

J_COLOR_SPACE file_space(JpegColour colour) {
  switch (colour) {
    case JpegColour::kGrey: return JCS_GRAYSCALE;
    case JpegColour::kYcc: return JCS_YCbCr;
    case JpegColour::kRgb: return JCS_RGB;
    case JpegColour::kCmyk: return JCS_CMYK;
    case JpegColour::kYcck: return JCS_YCCK;
  }
  return JCS_UNKNOWN;
}

/// One DC scan of all components, then AC scans of one coefficient each.
std::vector<jpeg_scan_info> many_scans(int components, int ac_scans) {
  std::vector<jpeg_scan_info> scans;
  jpeg_scan_info dc{};
  dc.comps_in_scan = components;
  for (int i = 0; i < components; ++i) {
    dc.component_index[i] = i;
  }
  scans.push_back(dc);
  // First the upper bits of coefficient 1…63, then one more bit of each, and so on.
  for (int scan = 0; scan < ac_scans; ++scan) {
    const int coefficient = 1 + scan % 63;
    const int round = scan / 63;
    const int rounds = (ac_scans + 62) / 63;
    for (int component = 0; component < components; ++component) {
      jpeg_scan_info ac{};
      ac.comps_in_scan = 1;
      ac.component_index[0] = component;
      ac.Ss = ac.Se = coefficient;
      ac.Ah = round == 0 ? 0 : rounds - round;
      ac.Al = rounds - 1 - round;
      scans.push_back(ac);
    }
  }
  return scans;
}

}  // namespace

Bytes write_jpeg(const Picture& picture, const JpegOptions& options) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = static_cast<JDIMENSION>(picture.width);
  info.image_height = static_cast<JDIMENSION>(picture.height);
  info.input_components = picture.channels;
  info.in_color_space = input_space(options.colour);
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, file_space(options.colour));
  jpeg_set_quality(&info, options.quality, TRUE);
  info.comp_info[0].h_samp_factor = options.sampling;
  info.comp_info[0].v_samp_factor = options.sampling;
  info.restart_interval = static_cast<unsigned>(options.restart_interval);
  std::vector<jpeg_scan_info> scans;
  if (options.scans_per_component > 0) {
    scans = many_scans(info.num_components, options.scans_per_component);
    info.scan_info = scans.data();
    info.num_scans = static_cast<int>(scans.size());
  } else if (options.progressive) {
    jpeg_simple_progression(&info);
  }
  jpeg_start_compress(&info, TRUE);
  for (const auto& [number, content] : options.markers) {
    jpeg_write_marker(&info, JPEG_APP0 + number, content.data(),
                      static_cast<unsigned>(content.size()));
  }
  Bytes row(static_cast<std::size_t>(picture.width * picture.channels));
  while (info.next_scanline < info.image_height) {
    std::copy_n(
        picture.samples.begin() + static_cast<std::ptrdiff_t>(info.next_scanline * row.size()),
        row.size(), row.begin());
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&info, &pointer, 1);
  }
  jpeg_finish_compress(&info);
  Bytes result(memory, memory + size);
  jpeg_destroy_compress(&info);
  std::free(memory);
  return result;
}

}  // namespace nolens
