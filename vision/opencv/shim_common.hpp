// What the parts of the shim share. Included by them alone.
#pragma once

#include <cstring>
#include <exception>
#include <opencv2/core.hpp>

namespace {

// fail gives the words of an exception to the caller.
inline int fail(const std::exception &e, char *err, int err_len) {
  std::strncpy(err, e.what(), err_len - 1);
  err[err_len - 1] = 0;
  return -1;
}

// copy_pose copies a 3x3 rotation and a translation.
inline void copy_pose(const cv::Mat &r, const cv::Mat &t, double *r9, double *t3) {
  for (int i = 0; i < 9; i++) r9[i] = r.at<double>(i / 3, i % 3);
  for (int i = 0; i < 3; i++) t3[i] = t.at<double>(i);
}

// picture is a grey picture without a copy.
inline cv::Mat picture(const unsigned char *grey, int width, int height, int stride) {
  return cv::Mat(height, width, CV_8U, const_cast<unsigned char *>(grey), stride);
}

}  // namespace
