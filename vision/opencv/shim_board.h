// The calls of OpenCV for what is printed on paper: tags of any family, chessboards and calibration. As in
// shim.h, every function returns a negative number where OpenCV throws, and writes the reason to err (of
// err_len bytes).
#ifndef SIGHTLINE_OPENCV_SHIM_BOARD_H
#define SIGHTLINE_OPENCV_SHIM_BOARD_H

#ifdef __cplusplus
extern "C" {
#endif

// sl_tags finds tags of a predefined dictionary of OpenCV: up to max, their ids and four corners each,
// clockwise from the tag's own top left. It returns how many.
int sl_tags(const unsigned char *grey, int width, int height, int stride, int dictionary,
            int *ids, float *corners, int max, char *err, int err_len);

// sl_tag_cells writes the inner cells of a tag by rows, 1 is white, and returns how many a side has; 0 for
// an id that the dictionary has not.
int sl_tag_cells(int dictionary, int id, unsigned char *cells, int max, char *err, int err_len);

// sl_chessboard finds the inner corners of a chessboard by rows, columns x rows of them. It returns 1 or 0.
int sl_chessboard(const unsigned char *grey, int width, int height, int stride, int columns, int rows,
                  float *corners, char *err, int err_len);

// sl_calibrate fits a lens to views of one object of n points: model is fx fy cx cy k1 k2 p1 p2 k3, sigma
// their standard deviations, view_rms an error in pixels for each view. rms is of all. Without k3 that is 0.
int sl_calibrate(const float *object, int n, const float *seen, int views, int width, int height, int k3,
                 double *model9, double *sigma9, double *view_rms, double *r9, double *t3, double *rms,
                 char *err, int err_len);

#ifdef __cplusplus
}
#endif
#endif
