// Descriptors of given points. For every point and scale (the picture made smaller by step each time) 32
// bytes go to out and 1 to ok where the patch lies in the picture; both are ordered by point, then scale.
#ifndef SIGHTLINE_OPENCV_DESCRIBE_H
#define SIGHTLINE_OPENCV_DESCRIBE_H

#ifdef __cplusplus
extern "C" {
#endif

int sl_describe(const unsigned char *grey, int width, int height, int stride, const float *at, int n,
                int scales, float step, unsigned char *out, unsigned char *ok, char *err, int err_len);

#ifdef __cplusplus
}
#endif
#endif
