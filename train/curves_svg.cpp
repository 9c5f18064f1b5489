#include "curves_svg.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <limits>
#include <map>
#include <sstream>

#include "nolens/error.h"

#include "core/escape.h"
#include "platform/atomic_file.h"

namespace nolens::train {
namespace {

constexpr double kWidth = 720.0;
constexpr double kPanelHeight = 150.0;
constexpr double kMarginLeft = 64.0;
constexpr double kMarginRight = 16.0;
constexpr double kGap = 44.0;  // above each panel, for its title and the x labels of the one above
constexpr std::size_t kPoints = 300;
constexpr int kTicks = 4;

struct Series {
  std::string name;
  std::vector<double> x;
  std::vector<double> y;
};

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line);
  std::string cell;
  while (std::getline(stream, cell, ',')) {
    cells.push_back(cell);
  }
  return cells;
}

double number_of(const std::string& cell) {
  std::istringstream stream(cell);
  stream.imbue(std::locale::classic());
  double value = 0.0;
  return stream >> value ? value : std::numeric_limits<double>::quiet_NaN();
}

std::map<std::string, Series> read_csv(const std::filesystem::path& csv) {
  std::ifstream stream(csv);
  std::string line;
  if (!std::getline(stream, line)) {
    // The run wrote it itself: the disk is to blame.
    throw Error(ErrorCode::kResource,
                "'" + escape_for_message(csv.string()) + "' is empty or cannot be read");
  }
  const std::vector<std::string> header = cells_of(line);
  std::map<std::string, Series> columns;
  while (std::getline(stream, line)) {
    const std::vector<std::string> cells = cells_of(line);
    for (std::size_t i = 1; i < std::min(header.size(), cells.size()); ++i) {
      const double y = number_of(cells[i]);
      if (std::isfinite(y)) {
        columns[header[i]].x.push_back(number_of(cells[0]));
        columns[header[i]].y.push_back(y);
      }
    }
  }
  return columns;
}

Series thinned(const Series& series) {
  const std::size_t block = series.y.size() / kPoints + 1;
  Series result;
  for (std::size_t first = 0; first < series.y.size(); first += block) {
    const std::size_t end = std::min(first + block, series.y.size());
    double sum = 0.0;
    for (std::size_t i = first; i < end; ++i) {
      sum += series.y[i];
    }
    result.x.push_back(series.x[end - 1]);
    result.y.push_back(sum / static_cast<double>(end - first));
  }
  return result;
}

/// 1, 2 or 5 times a power of ten, so that about `kTicks` of them fit into `span`.
double tick_step(double span) {
  const double rough = span / kTicks;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) {
      return factor * power;
    }
  }
  return 10.0 * power;
}

class Panel {
 public:
  Panel(std::ostringstream& svg, double top, const Series& series, const std::string& name)
      : svg_(svg), top_(top) {
    x_high_ = std::max(series.x.back(), 1.0);
    y_low_ = std::min(0.0, *std::min_element(series.y.begin(), series.y.end()));
    y_high_ = *std::max_element(series.y.begin(), series.y.end());
    if (y_high_ <= y_low_) {
      y_high_ = y_low_ + 1.0;
    }
    text(kMarginLeft, top - 8.0, "start", name);
    draw_axes();
    svg_ << "<polyline fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"1.5\" points=\"";
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      svg_ << place_x(series.x[i]) << ',' << place_y(series.y[i]) << ' ';
    }
    svg_ << "\"/>\n";
  }

 private:
  [[nodiscard]] double place_x(double x) const {
    return kMarginLeft + (kWidth - kMarginLeft - kMarginRight) * x / x_high_;
  }
  [[nodiscard]] double place_y(double y) const {
    return top_ + kPanelHeight * (y_high_ - y) / (y_high_ - y_low_);
  }
  void text(double x, double y, const char* anchor, const std::string& words) {
    svg_ << "<text x=\"" << x << "\" y=\"" << y << "\" text-anchor=\"" << anchor << "\">" << words
         << "</text>\n";
  }
  void line(double x1, double y1, double x2, double y2) {
    svg_ << "<line x1=\"" << x1 << "\" y1=\"" << y1 << "\" x2=\"" << x2 << "\" y2=\"" << y2
         << "\" stroke=\"#d0d0d0\"/>\n";
  }
  static std::string label(double value) {
    std::ostringstream words;
    words << std::setprecision(4) << value;
    return words.str();
  }
  void draw_axes() {
    const double y_step = tick_step(y_high_ - y_low_);
    for (double y = std::ceil(y_low_ / y_step) * y_step; y <= y_high_; y += y_step) {
      line(kMarginLeft, place_y(y), kWidth - kMarginRight, place_y(y));
      text(kMarginLeft - 6.0, place_y(y) + 4.0, "end", label(std::abs(y) < y_step / 10 ? 0.0 : y));
    }
    const double x_step = tick_step(x_high_);
    for (double x = 0.0; x <= x_high_; x += x_step) {
      line(place_x(x), top_, place_x(x), top_ + kPanelHeight);
      text(place_x(x), top_ + kPanelHeight + 14.0, "middle", label(x));
    }
  }

  std::ostringstream& svg_;
  double top_;
  double x_high_ = 1.0;
  double y_low_ = 0.0;
  double y_high_ = 1.0;
};

}  // namespace

void write_curves_svg(const std::filesystem::path& csv, const std::vector<std::string>& names,
                      const std::string& title, const std::filesystem::path& svg) {
  const std::map<std::string, Series> columns = read_csv(csv);
  std::vector<std::pair<std::string, Series>> shown;
  for (const std::string& name : names) {
    const auto found = columns.find(name);
    if (found != columns.end() && std::any_of(found->second.y.begin(), found->second.y.end(),
                                              [](double y) { return y != 0.0; })) {
      shown.emplace_back(name, thinned(found->second));
    }
  }
  const double height = 30.0 + static_cast<double>(shown.size()) * (kPanelHeight + kGap) + 10.0;
  std::ostringstream body;
  body.imbue(std::locale::classic());
  body << std::fixed << std::setprecision(1);
  double top = 30.0 + kGap - 14.0;
  for (const auto& [name, series] : shown) {
    Panel(body, top, series, name);
    top += kPanelHeight + kGap;
  }
  std::ostringstream file;
  file << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << kWidth << ' ' << height
       << "\" font-family=\"sans-serif\" font-size=\"11\">\n"
       << "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
       << "<text x=\"" << kMarginLeft << "\" y=\"20\" font-size=\"14\">" << title << "</text>\n"
       << body.str() << "</svg>\n";
  write_file_atomically(svg, file.str());
}

}  // namespace nolens::train
