// The thin edge to FFmpeg's libraries: decode video from a file or from access units, decode
// sound from a file or from packets. One thread at a time for each handle. Pictures leave as 4:2:0, full-range BT.601.
#ifndef SIGHTLINE_LIBAV_H
#define SIGHTLINE_LIBAV_H

#include <stdint.h>

typedef struct sl_video sl_video;
typedef struct sl_audio sl_audio;

enum { SL_NONE = 0, SL_GOT = 1 };

// What is known of the picture that a receive or read has just made current.
typedef struct sl_info {
  int width, height;
  int64_t pts; // the tag given with the access unit, or microseconds from a file's first picture
  int damaged; // decoded with errors concealed
} sl_info;

enum { SL_H264, SL_VP8, SL_VP9, SL_AV1 };

// sl_decoder_new makes a decoder for access units of a codec, H.264 in Annex B; NULL when memory or the codec is
// missing. With one thread each picture leaves with its own access unit, with more as many come later.
sl_video *sl_decoder_new(int codec, int threads);
// sl_decoder_send gives one access unit; it is copied. NULL asks for what is under way. 0, or a negative AVERROR.
int sl_decoder_send(sl_video *v, const uint8_t *data, int size, int64_t tag);
// sl_decoder_receive makes the next picture current: SL_GOT, SL_NONE, or a negative AVERROR.
int sl_decoder_receive(sl_video *v, sl_info *info);
// sl_decoder_reset forgets what was given; the next unit has to be a key frame.
void sl_decoder_reset(sl_video *v);

// sl_file_open opens the first picture stream of a file; NULL with *err and the name of the step in *what.
sl_video *sl_file_open(const char *path, int *err, const char **what);
// sl_file_read makes the next picture current: SL_GOT, SL_NONE at the end, or a negative AVERROR.
int sl_file_read(sl_video *v, sl_info *info);
int sl_file_rewind(sl_video *v);
// sl_file_length is the stream's length in microseconds as the file claims it, 0 where it does not.
int64_t sl_file_length(sl_video *v);
// sl_file_interval is the mean time between pictures in microseconds, 0 where unknown.
int64_t sl_file_interval(sl_video *v);
// sl_file_faults counts the packets that were cut short or did not decode; *first is where, in microseconds.
int sl_file_faults(sl_video *v, int64_t *first);

// sl_video_copy writes the current picture into planes of its width and height. 0, or a negative AVERROR.
int sl_video_copy(sl_video *v, uint8_t *y, int ystride, uint8_t *cb, uint8_t *cr, int cstride);
void sl_video_free(sl_video *v);

// sl_audio_open opens the first sound stream of a file, to be read as 48 kHz mono 16 bit.
sl_audio *sl_audio_open(const char *path, int *err, const char **what);
// sl_audio_read gives up to n samples: how many, 0 at the end, or a negative AVERROR.
int sl_audio_read(sl_audio *a, int16_t *out, int n);
int sl_audio_rewind(sl_audio *a);
void sl_audio_free(sl_audio *a);

// sl_error writes the words of an AVERROR.
void sl_error(int err, char *text, int size);

#endif
