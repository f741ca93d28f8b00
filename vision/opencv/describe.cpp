#include "describe.h"

#include <cmath>
#include <cstring>
#include <opencv2/features2d.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace {

const int kRadius = 15;   // of the patch that a descriptor covers, in pixels of its scale
const int kBorder = 23;   // a rotated test of ORB reaches this far

// The direction from the centre of a patch to its centroid of brightness (Rublee et al., ORB, 2011).
float direction(const cv::Mat &img, int x, int y) {
  int m01 = 0, m10 = 0;
  for (int v = -kRadius; v <= kRadius; v++) {
    const int half = static_cast<int>(std::sqrt(static_cast<float>(kRadius * kRadius - v * v)));
    const unsigned char *row = img.ptr<unsigned char>(y + v);
    for (int u = -half; u <= half; u++) m10 += u * row[x + u], m01 += v * row[x + u];
  }
  return cv::fastAtan2(static_cast<float>(m01), static_cast<float>(m10));
}

}  // namespace

int sl_describe(const unsigned char *grey, int width, int height, int stride, const float *at, int n,
                int scales, float step, unsigned char *out, unsigned char *ok, char *err, int err_len) {
  try {
    cv::Mat full(height, width, CV_8U, const_cast<unsigned char *>(grey), stride), img;
    cv::Ptr<cv::ORB> orb = cv::ORB::create(1 << 20, 1.2f, 1, kBorder, 0, 2, cv::ORB::HARRIS_SCORE, 2 * kRadius + 1);
    float scale = 1;
    for (int s = 0; s < scales; s++, scale *= step) {
      if (s == 0)
        img = full;
      else
        cv::resize(full, img, cv::Size(cvRound(width / scale), cvRound(height / scale)), 0, 0, cv::INTER_AREA);
      std::vector<cv::KeyPoint> keys;
      for (int i = 0; i < n; i++) {
        ok[i * scales + s] = 0;
        const float x = (at[2 * i] + 0.5f) / scale - 0.5f, y = (at[2 * i + 1] + 0.5f) / scale - 0.5f;
        if (x < kBorder || y < kBorder || x >= img.cols - kBorder || y >= img.rows - kBorder) continue;
        keys.emplace_back(x, y, 2 * kRadius + 1, direction(img, cvRound(x), cvRound(y)), 1, 0, i);
      }
      cv::Mat rows;
      if (!keys.empty()) orb->compute(img, keys, rows);
      for (size_t k = 0; k < keys.size(); k++) {
        const int slot = keys[k].class_id * scales + s;
        std::memcpy(out + 32 * slot, rows.ptr(static_cast<int>(k)), 32);
        ok[slot] = 1;
      }
    }
    return 0;
  } catch (const std::exception &e) {
    std::strncpy(err, e.what(), err_len - 1);
    err[err_len - 1] = 0;
    return -1;
  }
}
