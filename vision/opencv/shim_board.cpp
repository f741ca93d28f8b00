#include "shim_board.h"

#include "shim_common.hpp"

#include <algorithm>
#include <opencv2/aruco.hpp>
#include <opencv2/calib3d.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace {

// copy_vectors copies a pose given as a rotation vector and a translation.
void copy_vectors(const cv::Mat &rvec, const cv::Mat &tvec, double *r9, double *t3) {
  cv::Mat r;
  cv::Rodrigues(rvec, r);
  copy_pose(r, tvec, r9, t3);
}

}  // namespace

int sl_tags(const unsigned char *grey, int width, int height, int stride, int dictionary,
            int *ids, float *corners, int max, char *err, int err_len) {
  try {
    cv::Ptr<cv::aruco::DetectorParameters> params = cv::aruco::DetectorParameters::create();
    params->cornerRefinementMethod = cv::aruco::CORNER_REFINE_SUBPIX;
    std::vector<int> found;
    std::vector<std::vector<cv::Point2f>> at;
    cv::aruco::detectMarkers(picture(grey, width, height, stride), cv::aruco::getPredefinedDictionary(dictionary), at, found, params);
    int n = std::min<int>(max, found.size());
    for (int i = 0; i < n; i++) {
      ids[i] = found[i];
      for (int k = 0; k < 4; k++) corners[8 * i + 2 * k] = at[i][k].x, corners[8 * i + 2 * k + 1] = at[i][k].y;
    }
    return n;
  } catch (const std::exception &e) {
    return fail(e, err, err_len);
  }
}

int sl_tag_cells(int dictionary, int id, unsigned char *cells, int max, char *err, int err_len) {
  try {
    cv::Ptr<cv::aruco::Dictionary> d = cv::aruco::getPredefinedDictionary(dictionary);
    int side = d->markerSize;
    if (id < 0 || id >= d->bytesList.rows || side * side > max) return 0;
    cv::Mat bits = cv::aruco::Dictionary::getBitsFromByteList(d->bytesList.rowRange(id, id + 1), side);
    for (int i = 0; i < side * side; i++) cells[i] = bits.at<unsigned char>(i / side, i % side);
    return side;
  } catch (const std::exception &e) {
    return fail(e, err, err_len);
  }
}

int sl_chessboard(const unsigned char *grey, int width, int height, int stride, int columns, int rows,
                  float *corners, char *err, int err_len) {
  try {
    cv::Mat m = picture(grey, width, height, stride);
    std::vector<cv::Point2f> at;
    cv::Size size(columns, rows);
    if (!cv::findChessboardCorners(m, size, at,
                                   cv::CALIB_CB_ADAPTIVE_THRESH | cv::CALIB_CB_NORMALIZE_IMAGE | cv::CALIB_CB_FAST_CHECK))
      return 0;
    // The window of the refinement must not reach the neighbours: a third of the least distance to one.
    double least = 1e9;
    for (size_t i = 0; i < at.size(); i++) {
      if (i % columns) least = std::min(least, cv::norm(at[i] - at[i - 1]));
      if (i >= (size_t)columns) least = std::min(least, cv::norm(at[i] - at[i - columns]));
    }
    int half = std::max(2, std::min(11, (int)(least / 3)));
    cv::cornerSubPix(m, at, cv::Size(half, half), cv::Size(-1, -1),
                     cv::TermCriteria(cv::TermCriteria::COUNT | cv::TermCriteria::EPS, 40, 1e-3));
    for (size_t i = 0; i < at.size(); i++) corners[2 * i] = at[i].x, corners[2 * i + 1] = at[i].y;
    return 1;
  } catch (const std::exception &e) {
    return fail(e, err, err_len);
  }
}

int sl_calibrate(const float *object, int n, const float *seen, int views, int width, int height, int k3,
                 double *model9, double *sigma9, double *view_rms, double *r9, double *t3, double *rms,
                 char *err, int err_len) {
  try {
    std::vector<cv::Point3f> board(n);
    for (int i = 0; i < n; i++) board[i] = cv::Point3f(object[3 * i], object[3 * i + 1], object[3 * i + 2]);
    std::vector<std::vector<cv::Point3f>> objects(views, board);
    std::vector<std::vector<cv::Point2f>> images(views, std::vector<cv::Point2f>(n));
    for (int v = 0; v < views; v++)
      for (int i = 0; i < n; i++) images[v][i] = cv::Point2f(seen[2 * (v * n + i)], seen[2 * (v * n + i) + 1]);
    cv::Mat k, dist, sigma, extrinsic, each;
    std::vector<cv::Mat> rvecs, tvecs;
    *rms = cv::calibrateCamera(objects, images, cv::Size(width, height), k, dist, rvecs, tvecs, sigma, extrinsic, each,
                               k3 ? 0 : cv::CALIB_FIX_K3);
    double model[9] = {k.at<double>(0, 0), k.at<double>(1, 1), k.at<double>(0, 2), k.at<double>(1, 2)};
    for (int i = 0; i < 5; i++) model[4 + i] = dist.at<double>(i);
    for (int i = 0; i < 9; i++) model9[i] = model[i], sigma9[i] = sigma.at<double>(i);
    for (int v = 0; v < views; v++) {
      view_rms[v] = each.at<double>(v);
      copy_vectors(rvecs[v], tvecs[v], r9 + 9 * v, t3 + 3 * v);
    }
    return views;
  } catch (const std::exception &e) {
    return fail(e, err, err_len);
  }
}
