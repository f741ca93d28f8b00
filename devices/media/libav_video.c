#include "libav.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <string.h>

struct sl_video {
  AVFormatContext *format; // NULL for a decoder of access units
  int stream;
  AVCodecContext *codec;
  AVPacket *packet;
  AVFrame *frame;
  struct SwsContext *scale; // for pictures that are not 4:2:0 of eight bits, or not BT.601
  int draining;
  int64_t first_pts; // of the stream, AV_NOPTS_VALUE before the first picture
  int64_t last_pts;
  int faults;
  int64_t first_fault;
};

// Pictures larger than this are refused: a damaged header must not take the machine's memory.
enum { MAX_PIXELS = 8192 * 8192 };

// This many pictures in a row that do not decode are the end of a file.
enum { MAX_FAILURES = 1000 };

void sl_error(int err, char *text, int size) { av_strerror(err, text, size); }

static sl_video *video_new(void) {
  av_log_set_level(AV_LOG_QUIET); // every fault is returned to the caller, who says it in his words
  sl_video *v = av_mallocz(sizeof *v);
  if (!v) return NULL;
  v->first_pts = v->last_pts = AV_NOPTS_VALUE;
  v->packet = av_packet_alloc();
  v->frame = av_frame_alloc();
  if (v->packet && v->frame) return v;
  sl_video_free(v);
  return NULL;
}

void sl_video_free(sl_video *v) {
  if (!v) return;
  sws_freeContext(v->scale);
  av_frame_free(&v->frame);
  av_packet_free(&v->packet);
  avcodec_free_context(&v->codec);
  avformat_close_input(&v->format);
  av_free(v);
}

static const AVCodec *decoder_of(int codec) {
  switch (codec) {
  case SL_H264: return avcodec_find_decoder(AV_CODEC_ID_H264);
  case SL_VP8: return avcodec_find_decoder(AV_CODEC_ID_VP8);
  case SL_VP9: return avcodec_find_decoder(AV_CODEC_ID_VP9);
  case SL_AV1: return avcodec_find_decoder_by_name("libdav1d"); // FFmpeg's own needs hardware
  }
  return NULL;
}

sl_video *sl_decoder_new(int codec, int threads) {
  const AVCodec *c = decoder_of(codec);
  sl_video *v = c ? video_new() : NULL;
  if (!v) return NULL;
  v->codec = avcodec_alloc_context3(c);
  if (v->codec) {
    if (threads <= 1) v->codec->flags |= AV_CODEC_FLAG_LOW_DELAY; // a picture leaves with its own access unit
    v->codec->thread_count = threads > 1 ? threads : 1;           // frame threads hold pictures back
    v->codec->max_pixels = MAX_PIXELS;
    v->codec->pkt_timebase = (AVRational){1, 1000000};
    if (avcodec_open2(v->codec, c, NULL) == 0) return v;
  }
  sl_video_free(v);
  return NULL;
}

void sl_decoder_reset(sl_video *v) { avcodec_flush_buffers(v->codec); }

int sl_decoder_send(sl_video *v, const uint8_t *data, int size, int64_t tag) {
  if (!data) return avcodec_send_packet(v->codec, NULL);
  int r = av_new_packet(v->packet, size); // padded, as the bitstream reader wants it
  if (r < 0) return r;
  memcpy(v->packet->data, data, size);
  v->packet->pts = v->packet->dts = tag;
  r = avcodec_send_packet(v->codec, v->packet);
  av_packet_unref(v->packet);
  return r;
}

static int damaged(const AVFrame *f) {
  return f->decode_error_flags != 0 || (f->flags & AV_FRAME_FLAG_CORRUPT) != 0;
}

int sl_decoder_receive(sl_video *v, sl_info *info) {
  int r = avcodec_receive_frame(v->codec, v->frame);
  if (r == AVERROR(EAGAIN) || r == AVERROR_EOF) return SL_NONE;
  if (r < 0) return r;
  *info = (sl_info){v->frame->width, v->frame->height, v->frame->pts, damaged(v->frame)};
  return SL_GOT;
}

sl_video *sl_file_open(const char *path, int *err, const char **what) {
  *what = "memory";
  *err = AVERROR(ENOMEM);
  sl_video *v = video_new();
  if (!v) return NULL;
  const AVCodec *codec = NULL;
  *what = "open";
  if ((*err = avformat_open_input(&v->format, path, NULL, NULL)) < 0) goto fail;
  *what = "read the header of";
  if ((*err = avformat_find_stream_info(v->format, NULL)) < 0) goto fail;
  *what = "find a picture stream in";
  if ((*err = av_find_best_stream(v->format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0)) < 0) goto fail;
  v->stream = *err;
  for (unsigned i = 0; i < v->format->nb_streams; i++)
    if ((int)i != v->stream) v->format->streams[i]->discard = AVDISCARD_ALL;
  *what = "make a decoder for";
  *err = AVERROR(ENOMEM);
  if (!(v->codec = avcodec_alloc_context3(codec))) goto fail;
  if ((*err = avcodec_parameters_to_context(v->codec, v->format->streams[v->stream]->codecpar)) < 0) goto fail;
  v->codec->thread_count = 2;
  v->codec->max_pixels = MAX_PIXELS;
  if ((*err = avcodec_open2(v->codec, codec, NULL)) < 0) goto fail;
  return v;
fail:
  sl_video_free(v);
  return NULL;
}

static int64_t micros(sl_video *v, int64_t t) {
  return av_rescale_q(t, v->format->streams[v->stream]->time_base, (AVRational){1, 1000000});
}

int64_t sl_file_length(sl_video *v) {
  int64_t d = v->format->streams[v->stream]->duration;
  if (d != AV_NOPTS_VALUE && d > 0) return micros(v, d);
  return v->format->duration > 0 ? av_rescale(v->format->duration, 1000000, AV_TIME_BASE) : 0;
}

int64_t sl_file_interval(sl_video *v) {
  AVRational r = v->format->streams[v->stream]->avg_frame_rate;
  if (r.num <= 0 || r.den <= 0) r = v->format->streams[v->stream]->r_frame_rate;
  return r.num > 0 && r.den > 0 ? av_rescale(1000000, r.den, r.num) : 0;
}

int sl_file_faults(sl_video *v, int64_t *first) {
  *first = v->first_fault;
  return v->faults;
}

static void fault(sl_video *v, int64_t pts) {
  if (v->faults++ == 0) {
    if (pts == AV_NOPTS_VALUE) pts = v->last_pts;
    if (pts == AV_NOPTS_VALUE || v->first_pts == AV_NOPTS_VALUE) return;
    v->first_fault = micros(v, pts - v->first_pts);
  }
}

// feed gives the decoder one packet of the stream, or the end. A packet that is cut short or does not
// decode is counted and passed over.
static int feed(sl_video *v) {
  for (;;) {
    int r = av_read_frame(v->format, v->packet);
    if (r < 0) {
      if (r != AVERROR_EOF) fault(v, AV_NOPTS_VALUE);
      v->draining = 1;
      avcodec_send_packet(v->codec, NULL); // fails only for what receive will say again
      return 0;
    }
    if (v->packet->stream_index != v->stream) {
      av_packet_unref(v->packet);
      continue;
    }
    int64_t pts = v->packet->pts;
    int corrupt = v->packet->flags & AV_PKT_FLAG_CORRUPT;
    r = avcodec_send_packet(v->codec, v->packet);
    av_packet_unref(v->packet);
    if (r == AVERROR(ENOMEM)) return r;
    if (r < 0 || corrupt) fault(v, pts);
    if (r == 0) return 0;
  }
}

int sl_file_read(sl_video *v, sl_info *info) {
  for (int failures = 0;;) {
    int r = avcodec_receive_frame(v->codec, v->frame);
    if (r == 0) break;
    if (r == AVERROR_EOF) return SL_NONE;
    if (r != AVERROR(EAGAIN)) { // a picture that does not decode: counted, and on with the next
      fault(v, AV_NOPTS_VALUE);
      if (++failures > MAX_FAILURES) return r;
    } else if (v->draining) {
      return SL_NONE;
    }
    if (!v->draining && (r = feed(v)) < 0) return r;
  }
  int64_t pts = v->frame->best_effort_timestamp;
  if (pts == AV_NOPTS_VALUE) pts = v->last_pts == AV_NOPTS_VALUE ? 0 : v->last_pts;
  if (v->first_pts == AV_NOPTS_VALUE) v->first_pts = pts;
  v->last_pts = pts;
  if (damaged(v->frame)) fault(v, pts);
  *info = (sl_info){v->frame->width, v->frame->height, micros(v, pts - v->first_pts), damaged(v->frame)};
  return SL_GOT;
}

int sl_file_rewind(sl_video *v) {
  int r = av_seek_frame(v->format, v->stream, 0, AVSEEK_FLAG_BACKWARD);
  if (r < 0) r = avformat_seek_file(v->format, v->stream, INT64_MIN, 0, INT64_MAX, 0);
  avcodec_flush_buffers(v->codec);
  v->draining = 0;
  return r;
}

// copy_plane copies a plane, through a table where the range has to be stretched.
static void copy_plane(uint8_t *dst, int ds, const uint8_t *src, int ss, int w, int h, const uint8_t *table) {
  for (int y = 0; y < h; y++, dst += ds, src += ss) {
    if (!table) {
      memcpy(dst, src, w);
      continue;
    }
    for (int x = 0; x < w; x++) dst[x] = table[src[x]];
  }
}

static uint8_t clamp(int v) { return v < 0 ? 0 : v > 255 ? 255 : v; }

// copy_420 copies eight-bit 4:2:0, stretching 16..235 and 16..240 to the full range where need be.
static void copy_420(const AVFrame *f, int full, uint8_t *y, int ys, uint8_t *cb, uint8_t *cr, int cs) {
  uint8_t luma[256], chroma[256];
  if (!full)
    for (int i = 0; i < 256; i++) {
      luma[i] = clamp(((i - 16) * 510 + (i >= 16 ? 219 : -219)) / 438);
      chroma[i] = clamp(128 + ((i - 128) * 510 + (i >= 128 ? 224 : -224)) / 448);
    }
  int cw = (f->width + 1) / 2, ch = (f->height + 1) / 2;
  copy_plane(y, ys, f->data[0], f->linesize[0], f->width, f->height, full ? NULL : luma);
  copy_plane(cb, cs, f->data[1], f->linesize[1], cw, ch, full ? NULL : chroma);
  copy_plane(cr, cs, f->data[2], f->linesize[2], cw, ch, full ? NULL : chroma);
}

int sl_video_copy(sl_video *v, uint8_t *y, int ystride, uint8_t *cb, uint8_t *cr, int cstride) {
  AVFrame *f = v->frame;
  int full = f->color_range == AVCOL_RANGE_JPEG || f->format == AV_PIX_FMT_YUVJ420P;
  int planar = f->format == AV_PIX_FMT_YUV420P || f->format == AV_PIX_FMT_YUVJ420P;
  if (planar && f->colorspace != AVCOL_SPC_BT709) {
    copy_420(f, full, y, ystride, cb, cr, cstride);
    return 0;
  }
  v->scale = sws_getCachedContext(v->scale, f->width, f->height, f->format, f->width, f->height,
                                  AV_PIX_FMT_YUVJ420P, SWS_BILINEAR | SWS_ACCURATE_RND, NULL, NULL, NULL);
  if (!v->scale) return AVERROR(ENOSYS);
  int from = f->colorspace == AVCOL_SPC_BT709 ? SWS_CS_ITU709 : SWS_CS_ITU601;
  const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
  int rgb = d && (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL));
  sws_setColorspaceDetails(v->scale, sws_getCoefficients(from), rgb || full, sws_getCoefficients(SWS_CS_ITU601), 1, 0,
                           1 << 16, 1 << 16);
  uint8_t *dst[4] = {y, cb, cr, NULL};
  int strides[4] = {ystride, cstride, cstride, 0};
  int r = sws_scale(v->scale, (const uint8_t *const *)f->data, f->linesize, 0, f->height, dst, strides);
  return r < 0 ? r : 0;
}
