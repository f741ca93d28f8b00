#include "shim.h"

#include "shim_common.hpp"

#include <algorithm>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <opencv2/calib3d.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/tracking.hpp>
#include <vector>

struct sl_pyramid {
  std::vector<cv::Mat> levels;
};

namespace {

#ifdef __GLIBC__
// Else every thread that makes a picture gets an arena of its own, which keeps what it has had: 14,000 frames take 339 MB
// at their peak then, and 271 with two arenas, in the same time.
const int arenas = mallopt(M_ARENA_MAX, 2);
#endif

cv::Mat points(const float *xy, int n) { return cv::Mat(n, 2, CV_32F, const_cast<float *>(xy)); }

void copy_mask(const cv::Mat &mask, unsigned char *out, int n) {
  for (int i = 0; i < n; i++) out[i] = mask.empty() ? 0 : mask.at<unsigned char>(i) != 0;
}

}  // namespace

sl_pyramid *sl_pyramid_new(const unsigned char *grey, int width, int height, int stride,
                           int window, int levels, char *err, int err_len) {
  sl_pyramid *p = new sl_pyramid;
  try {
    cv::Mat m = picture(grey, width, height, stride);
    cv::buildOpticalFlowPyramid(m, p->levels, cv::Size(window, window), levels, true,
                                cv::BORDER_REFLECT_101, cv::BORDER_CONSTANT, false);
    return p;
  } catch (const std::exception &e) {
    fail(e, err, err_len);
    delete p;
    return nullptr;
  }
}

void sl_pyramid_free(sl_pyramid *p) { delete p; }

void sl_level(const sl_pyramid *p, int level, unsigned char *out, int width, int height) {
  // Pictures and gradients take turns; a small picture has fewer.
  const cv::Mat &m = p->levels[std::min<size_t>(2 * level, p->levels.size() - 2)];
  cv::Mat to(height, width, CV_8U, out);
  if (m.size() == to.size())
    m.copyTo(to);
  else
    cv::resize(m, to, to.size(), 0, 0, cv::INTER_AREA);
}

int sl_flow(const sl_pyramid *from, const sl_pyramid *to, const float *at, float *found, int n,
            int window, int levels, unsigned char *ok, char *err, int err_len) {
  try {
    // One row of two-channel points, as calcOpticalFlowPyrLK wants them; written in place.
    cv::Mat a(1, n, CV_32FC2, const_cast<float *>(at)), b(1, n, CV_32FC2, found), status(1, n, CV_8U, ok);
    cv::calcOpticalFlowPyrLK(from->levels, to->levels, a, b, status, cv::noArray(),
                             cv::Size(window, window), levels,
                             cv::TermCriteria(cv::TermCriteria::COUNT | cv::TermCriteria::EPS, 20, 0.02),
                             cv::OPTFLOW_USE_INITIAL_FLOW, 1e-3);
    return 0;
  } catch (const std::exception &e) {
    return fail(e, err, err_len);
  }
}

int sl_corners(const sl_pyramid *p, const float *taken, int n_taken, float distance, int margin,
               double quality, float *out, int max, char *err, int err_len) {
  try {
    const cv::Mat &img = p->levels[0];
    cv::Mat mask(img.size(), CV_8U, cv::Scalar(0));
    mask(cv::Rect(margin, margin, img.cols - 2 * margin, img.rows - 2 * margin)).setTo(255);
    for (int i = 0; i < n_taken; i++)
      cv::circle(mask, cv::Point(cvRound(taken[2 * i]), cvRound(taken[2 * i + 1])), cvRound(distance), 0, -1);
    std::vector<cv::Point2f> found;
    cv::goodFeaturesToTrack(img, found, max, quality, distance, mask, 5);
    if (!found.empty())
      cv::cornerSubPix(img, found, cv::Size(3, 3), cv::Size(-1, -1),
                       cv::TermCriteria(cv::TermCriteria::COUNT | cv::TermCriteria::EPS, 10, 0.03));
    int n = std::min<int>(max, found.size());
    for (int i = 0; i < n; i++) out[2 * i] = found[i].x, out[2 * i + 1] = found[i].y;
    return n;
  } catch (const std::exception &e) {
    return fail(e, err, err_len);
  }
}

int sl_essential(const float *a, const float *b, int n, double threshold, double *r9, double *t3,
                 unsigned char *inlier, char *err, int err_len) {
  try {
    cv::Mat mask, r, t;
    cv::Mat e = cv::findEssentialMat(points(a, n), points(b, n), cv::Mat::eye(3, 3, CV_64F), cv::RANSAC, 0.999,
                                     threshold, 1000, mask);
    if (e.rows != 3) return 0;
    copy_mask(mask, inlier, n);
    int good = cv::recoverPose(e, points(a, n), points(b, n), cv::Mat::eye(3, 3, CV_64F), r, t, mask);
    copy_pose(r, t, r9, t3);
    return good;
  } catch (const std::exception &e) {
    return fail(e, err, err_len);
  }
}

int sl_homography(const float *a, const float *b, int n, double threshold, double *r9, double *t3,
                  int max, double *h9, unsigned char *inlier, char *err, int err_len) {
  try {
    cv::Mat mask;
    cv::Mat h = cv::findHomography(points(a, n), points(b, n), cv::RANSAC, threshold, mask, 1000, 0.999);
    if (h.empty()) return 0;
    for (int i = 0; i < 9; i++) h9[i] = h.at<double>(i / 3, i % 3);
    copy_mask(mask, inlier, n);
    std::vector<cv::Mat> rs, ts, ns;
    int k = cv::decomposeHomographyMat(h, cv::Mat::eye(3, 3, CV_64F), rs, ts, ns);
    k = std::min(k, max);
    for (int i = 0; i < k; i++) copy_pose(rs[i], ts[i], r9 + 9 * i, t3 + 3 * i);
    return k;
  } catch (const std::exception &e) {
    return fail(e, err, err_len);
  }
}

int sl_pnp(const double *world, const double *seen, int n, double threshold, double *r9, double *t3,
           unsigned char *inlier, char *err, int err_len) {
  try {
    cv::Mat w(n, 3, CV_64F, const_cast<double *>(world)), s(n, 2, CV_64F, const_cast<double *>(seen));
    cv::Mat rvec, t, in, r;
    if (!cv::solvePnPRansac(w, s, cv::Mat::eye(3, 3, CV_64F), cv::noArray(), rvec, t, false, 200, threshold, 0.999, in,
                            cv::SOLVEPNP_EPNP))
      return 0;
    std::memset(inlier, 0, n);
    for (int i = 0; i < in.rows; i++) inlier[in.at<int>(i)] = 1;
    cv::Rodrigues(rvec, r);
    copy_pose(r, t, r9, t3);
    return in.rows;
  } catch (const std::exception &e) {
    return fail(e, err, err_len);
  }
}
