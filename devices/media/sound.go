package media

/*
#include "libav.h"
#include "libav_sound.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// SoundRate is the number of samples in a second, of every sound of this package.
const SoundRate = audioRate

// OpusDelay is by how many samples a sound comes out of a decoder late: what Opus looks ahead.
const OpusDelay = 312

// mostSamples is what a packet of Opus has at most: 120 ms.
const mostSamples = SoundRate * 120 / 1000

// OpusDecoder turns packets of Opus into samples, mono. One goroutine uses it.
type OpusDecoder struct {
	handle *C.sl_sound
	out    [mostSamples]int16
}

// NewOpusDecoder makes a decoder. It fails where libavcodec was built without Opus.
func NewOpusDecoder() (*OpusDecoder, error) {
	h := C.sl_opus_new()
	if h == nil {
		return nil, errors.New("this libavcodec has no decoder for Opus: install Debian's libavcodec59 or libavcodec-extra59")
	}
	return &OpusDecoder{handle: h}, nil
}

// Decode returns a packet's samples; they are valid until the next call.
func (d *OpusDecoder) Decode(packet []byte) ([]int16, error) {
	switch {
	case d.handle == nil:
		return nil, errDecoderClosed
	case len(packet) == 0 || len(packet) > maxAccessUnit:
		return nil, fmt.Errorf("packet of Opus of %d bytes", len(packet))
	}
	n := C.sl_opus_decode(d.handle, (*C.uint8_t)(unsafe.Pointer(&packet[0])), C.int(len(packet)), (*C.int16_t)(unsafe.Pointer(&d.out[0])), mostSamples)
	if n < 0 {
		return nil, fmt.Errorf("packet of Opus does not decode: %w", avError(n))
	}
	return d.out[:n], nil
}

// Close frees the decoder.
func (d *OpusDecoder) Close() error {
	C.sl_sound_free(d.handle)
	d.handle = nil
	return nil
}

// AACFrame is the number of samples in a frame of AAC.
const AACFrame = 1024

// AACEncoder turns samples, mono, into AAC-LC, which every player plays. One goroutine uses it.
type AACEncoder struct{ handle *C.sl_sound }

// AACPacket is a packet of AAC.
type AACPacket struct {
	Data []byte
	// First is the number of the first of the AACFrame samples that it sounds.
	First int64
}

// NewAACEncoder makes an encoder of so many bits per second. It fails where libavcodec was built without AAC.
func NewAACEncoder(bitRate int) (*AACEncoder, error) {
	h := C.sl_aac_new(C.int(bitRate))
	if h == nil {
		return nil, errors.New("this libavcodec has no encoder for AAC: install Debian's libavcodec59 or libavcodec-extra59")
	}
	if n := C.sl_aac_frame(h); n != AACFrame {
		C.sl_sound_free(h)
		return nil, fmt.Errorf("AAC with frames of %d samples, want %d", n, AACFrame)
	}
	return &AACEncoder{h}, nil
}

// Encode takes AACFrame samples, of which the first has that number, and returns the packets that are ready: each
// comes a frame later than its samples.
func (e *AACEncoder) Encode(samples []int16, first int64) ([]AACPacket, error) {
	switch {
	case e.handle == nil:
		return nil, errEncoderClosed
	case len(samples) != AACFrame:
		return nil, fmt.Errorf("AAC: %d samples, want %d", len(samples), AACFrame)
	}
	if r := C.sl_aac_send(e.handle, (*C.int16_t)(unsafe.Pointer(&samples[0])), C.int64_t(first)); r < 0 {
		return nil, fmt.Errorf("AAC: %w", avError(r))
	}
	var out []AACPacket
	for {
		var number C.int64_t
		n := C.sl_aac_receive(e.handle, &number)
		switch {
		case n < 0:
			return out, fmt.Errorf("AAC: %w", avError(n))
		case n == 0:
			return out, nil
		}
		out = append(out, AACPacket{C.GoBytes(unsafe.Pointer(C.sl_aac_packet(e.handle)), n), int64(number)})
	}
}

// Close frees the encoder.
func (e *AACEncoder) Close() error {
	C.sl_sound_free(e.handle)
	e.handle = nil
	return nil
}
