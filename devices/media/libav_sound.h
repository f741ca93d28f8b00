// Sound by packets: decode Opus, encode AAC. One thread at a time for each handle. All of it is 48 kHz mono.
#ifndef SIGHTLINE_LIBAV_SOUND_H
#define SIGHTLINE_LIBAV_SOUND_H

#include <stdint.h>

typedef struct sl_sound sl_sound;

// sl_opus_new makes a decoder for packets of Opus; NULL when memory or the codec is missing.
sl_sound *sl_opus_new(void);
// sl_opus_decode decodes a packet to at most n samples: how many, or a negative AVERROR.
int sl_opus_decode(sl_sound *s, const uint8_t *data, int size, int16_t *out, int n);

// sl_aac_new makes an encoder for AAC-LC; NULL when memory or the codec is missing.
sl_sound *sl_aac_new(int bit_rate);
// sl_aac_frame is the number of samples in a frame.
int sl_aac_frame(const sl_sound *s);
// sl_aac_send gives a frame whose first sample has that number. 0, or a negative AVERROR.
int sl_aac_send(sl_sound *s, const int16_t *samples, int64_t number);
// sl_aac_receive makes the next packet current and says the number of the first sample that it sounds: its size,
// 0 where there is none yet, or a negative AVERROR.
int sl_aac_receive(sl_sound *s, int64_t *number);
// sl_aac_packet is the current packet.
const uint8_t *sl_aac_packet(const sl_sound *s);

void sl_sound_free(sl_sound *s);

#endif
