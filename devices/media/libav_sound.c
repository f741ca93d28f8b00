#include "libav_sound.h"

#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <libavutil/log.h>
#include <libswresample/swresample.h>
#include <string.h>

struct sl_sound {
  AVCodecContext *codec;
  AVPacket *packet;
  AVFrame *frame;
  SwrContext *mono; // NULL before the first packet
  int format;       // that mono was made for
};

enum { RATE = 48000 };

void sl_sound_free(sl_sound *s) {
  if (!s) return;
  swr_free(&s->mono);
  av_frame_free(&s->frame);
  av_packet_free(&s->packet);
  avcodec_free_context(&s->codec);
  av_free(s);
}

static sl_sound *sound_new(const AVCodec *codec) {
  av_log_set_level(AV_LOG_QUIET); // every fault is returned to the caller, who says it in his words
  sl_sound *s = codec ? av_mallocz(sizeof *s) : NULL;
  if (!s) return NULL;
  s->packet = av_packet_alloc();
  s->frame = av_frame_alloc();
  s->codec = avcodec_alloc_context3(codec);
  if (s->packet && s->frame && s->codec) return s;
  sl_sound_free(s);
  return NULL;
}

sl_sound *sl_opus_new(void) {
  const AVCodec *codec = avcodec_find_decoder_by_name("libopus"); // FFmpeg's own holds samples back
  sl_sound *s = sound_new(codec ? codec : avcodec_find_decoder(AV_CODEC_ID_OPUS));
  if (!s) return NULL;
  s->codec->sample_rate = RATE;
  av_channel_layout_default(&s->codec->ch_layout, 2);
  if (avcodec_open2(s->codec, NULL, NULL) == 0) return s;
  sl_sound_free(s);
  return NULL;
}

int sl_opus_decode(sl_sound *s, const uint8_t *data, int size, int16_t *out, int n) {
  int r = av_new_packet(s->packet, size);
  if (r < 0) return r;
  memcpy(s->packet->data, data, size);
  r = avcodec_send_packet(s->codec, s->packet);
  av_packet_unref(s->packet);
  int got = 0;
  while (r >= 0 && (r = avcodec_receive_frame(s->codec, s->frame)) == 0) {
    if (!s->mono || s->format != s->frame->format) {
      AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
      swr_free(&s->mono);
      r = swr_alloc_set_opts2(&s->mono, &mono, AV_SAMPLE_FMT_S16, RATE, &s->frame->ch_layout, s->frame->format,
                              s->frame->sample_rate, 0, NULL);
      if (r < 0 || (r = swr_init(s->mono)) < 0) return r;
      s->format = s->frame->format;
    }
    uint8_t *to = (uint8_t *)(out + got);
    r = swr_convert(s->mono, &to, n - got, (const uint8_t **)s->frame->extended_data, s->frame->nb_samples);
    if (r > 0) got += r;
  }
  return r < 0 && r != AVERROR(EAGAIN) && r != AVERROR_EOF ? r : got;
}

sl_sound *sl_aac_new(int bit_rate) {
  sl_sound *s = sound_new(avcodec_find_encoder(AV_CODEC_ID_AAC));
  if (!s) return NULL;
  AVCodecContext *c = s->codec;
  c->sample_rate = RATE;
  c->sample_fmt = AV_SAMPLE_FMT_FLTP;
  c->time_base = (AVRational){1, RATE};
  c->bit_rate = bit_rate;
  c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
  av_channel_layout_default(&c->ch_layout, 1);
  if (avcodec_open2(c, NULL, NULL) == 0) return s;
  sl_sound_free(s);
  return NULL;
}

int sl_aac_frame(const sl_sound *s) { return s->codec->frame_size; }

int sl_aac_send(sl_sound *s, const int16_t *samples, int64_t number) {
  AVFrame *f = s->frame;
  av_frame_unref(f);
  f->format = AV_SAMPLE_FMT_FLTP;
  f->nb_samples = s->codec->frame_size;
  f->sample_rate = RATE;
  f->pts = number;
  int r = av_channel_layout_copy(&f->ch_layout, &s->codec->ch_layout);
  if (r < 0 || (r = av_frame_get_buffer(f, 0)) < 0) return r;
  float *to = (float *)f->data[0];
  for (int i = 0; i < f->nb_samples; i++) to[i] = samples[i] / 32768.0f;
  return avcodec_send_frame(s->codec, f);
}

int sl_aac_receive(sl_sound *s, int64_t *number) {
  av_packet_unref(s->packet);
  int r = avcodec_receive_packet(s->codec, s->packet);
  if (r == AVERROR(EAGAIN) || r == AVERROR_EOF) return 0;
  if (r < 0) return r;
  *number = s->packet->pts;
  return s->packet->size;
}

const uint8_t *sl_aac_packet(const sl_sound *s) { return s->packet->data; }
