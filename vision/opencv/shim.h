// The calls of OpenCV that gocv does not wrap for the version in Debian 12: pyramidal Lucas-Kanade
// with kept pyramids, the essential matrix, PnP with RANSAC and ArUco. Pictures are 8-bit grey with a
// stride in bytes; points are pairs of float. Every function returns a negative number where OpenCV
// throws, and writes the reason to err (of err_len bytes).
#ifndef SIGHTLINE_OPENCV_SHIM_H
#define SIGHTLINE_OPENCV_SHIM_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sl_pyramid sl_pyramid;

sl_pyramid *sl_pyramid_new(const unsigned char *grey, int width, int height, int stride,
                           int window, int levels, char *err, int err_len);
void sl_pyramid_free(sl_pyramid *p);

/* Copies level of the pyramid, of width x height pixels, to out. */
void sl_level(const sl_pyramid *p, int level, unsigned char *out, int width, int height);

int sl_flow(const sl_pyramid *from, const sl_pyramid *to, const float *at, float *found, int n,
            int window, int levels, unsigned char *ok, char *err, int err_len);

int sl_corners(const sl_pyramid *p, const float *taken, int n_taken, float distance, int margin,
               double quality, float *out, int max, char *err, int err_len);

int sl_essential(const float *a, const float *b, int n, double threshold, double *r9, double *t3,
                 unsigned char *inlier, char *err, int err_len);

int sl_homography(const float *a, const float *b, int n, double threshold, double *r9, double *t3,
                  int max, double *h9, unsigned char *inlier, char *err, int err_len);

int sl_pnp(const double *world, const double *seen, int n, double threshold, double *r9, double *t3,
           unsigned char *inlier, char *err, int err_len);

#ifdef __cplusplus
}
#endif
#endif
