#include "libav.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/log.h>
#include <libswresample/swresample.h>

struct sl_audio {
  AVFormatContext *format;
  int stream;
  AVCodecContext *codec;
  AVPacket *packet;
  AVFrame *frame;
  SwrContext *resample;
  int draining, flushed;
};

void sl_audio_free(sl_audio *a) {
  if (!a) return;
  swr_free(&a->resample);
  av_frame_free(&a->frame);
  av_packet_free(&a->packet);
  avcodec_free_context(&a->codec);
  avformat_close_input(&a->format);
  av_free(a);
}

static int resampler(sl_audio *a) {
  AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
  AVCodecContext *c = a->codec;
  if (c->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) av_channel_layout_default(&c->ch_layout, c->ch_layout.nb_channels);
  int r = swr_alloc_set_opts2(&a->resample, &mono, AV_SAMPLE_FMT_S16, 48000, &c->ch_layout, c->sample_fmt,
                              c->sample_rate, 0, NULL);
  return r < 0 ? r : swr_init(a->resample);
}

sl_audio *sl_audio_open(const char *path, int *err, const char **what) {
  av_log_set_level(AV_LOG_QUIET);
  *what = "memory";
  *err = AVERROR(ENOMEM);
  sl_audio *a = av_mallocz(sizeof *a);
  if (!a) return NULL;
  const AVCodec *codec = NULL;
  if (!(a->packet = av_packet_alloc()) || !(a->frame = av_frame_alloc())) goto fail;
  *what = "open";
  if ((*err = avformat_open_input(&a->format, path, NULL, NULL)) < 0) goto fail;
  *what = "read the header of";
  if ((*err = avformat_find_stream_info(a->format, NULL)) < 0) goto fail;
  *what = "find sound in";
  if ((*err = av_find_best_stream(a->format, AVMEDIA_TYPE_AUDIO, -1, -1, &codec, 0)) < 0) goto fail;
  a->stream = *err;
  *what = "make a decoder for";
  *err = AVERROR(ENOMEM);
  if (!(a->codec = avcodec_alloc_context3(codec))) goto fail;
  if ((*err = avcodec_parameters_to_context(a->codec, a->format->streams[a->stream]->codecpar)) < 0) goto fail;
  if ((*err = avcodec_open2(a->codec, codec, NULL)) < 0) goto fail;
  if ((*err = resampler(a)) < 0) goto fail;
  return a;
fail:
  sl_audio_free(a);
  return NULL;
}

int sl_audio_rewind(sl_audio *a) {
  int r = av_seek_frame(a->format, a->stream, 0, AVSEEK_FLAG_BACKWARD);
  avcodec_flush_buffers(a->codec);
  a->draining = a->flushed = 0;
  return r;
}

// next_frame decodes one frame of sound: 1, 0 at the end, or a negative AVERROR.
static int next_frame(sl_audio *a) {
  for (;;) {
    int r = avcodec_receive_frame(a->codec, a->frame);
    if (r == 0) return 1;
    if (r == AVERROR_EOF) return 0;
    if (r != AVERROR(EAGAIN)) return r;
    if (a->draining) return 0;
    r = av_read_frame(a->format, a->packet);
    if (r < 0) {
      a->draining = 1;
      avcodec_send_packet(a->codec, NULL);
      continue;
    }
    if (a->packet->stream_index == a->stream) r = avcodec_send_packet(a->codec, a->packet);
    av_packet_unref(a->packet);
    if (r == AVERROR(ENOMEM)) return r;
  }
}

int sl_audio_read(sl_audio *a, int16_t *out, int n) {
  int got = 0;
  while (got < n) {
    uint8_t *to = (uint8_t *)(out + got);
    int r = swr_convert(a->resample, &to, n - got, NULL, 0); // what an earlier frame left over
    if (r < 0) return r;
    got += r;
    if (got == n || a->flushed) break;
    r = next_frame(a);
    if (r < 0) return r;
    if (r == 0) {
      a->flushed = 1;
      continue;
    }
    to = (uint8_t *)(out + got);
    r = swr_convert(a->resample, &to, n - got, (const uint8_t **)a->frame->extended_data, a->frame->nb_samples);
    if (r < 0) return r;
    got += r;
  }
  return got;
}
