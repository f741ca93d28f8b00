package media

/*
#cgo pkg-config: libavformat libavcodec libswscale libswresample libavutil
#cgo CFLAGS: -O2
#include <stdlib.h>
#include "libav.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"image"
	"strings"
	"time"
	"unsafe"
)

// avError returns an AVERROR in libav's words.
func avError(code C.int) error {
	var text [128]C.char
	C.sl_error(code, &text[0], C.int(len(text)))
	return errors.New(C.GoString(&text[0]))
}

// videoHandle is a decoder of libav and the picture it decoded last. One goroutine uses it.
type videoHandle struct {
	v    *C.sl_video
	info C.sl_info
}

// codecs are the codecs of access units, by the name that a track has for its own.
var codecs = map[string]C.int{"video/h264": C.SL_H264, "video/vp8": C.SL_VP8, "video/vp9": C.SL_VP9, "video/av1": C.SL_AV1}

func newDecoderHandle(codec string, threads int) (*videoHandle, error) {
	id, ok := codecs[strings.ToLower(codec)]
	if !ok {
		return nil, fmt.Errorf("%s is no codec that this program decodes: H.264, VP8, VP9 and AV1 are", codec)
	}
	v := C.sl_decoder_new(id, C.int(threads))
	if v == nil {
		return nil, fmt.Errorf("this libavcodec has no decoder for %s: install Debian's libavcodec59 or libavcodec-extra59", codec)
	}
	return &videoHandle{v: v}, nil
}

func openVideoFile(path string) (*videoHandle, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var code C.int
	var what *C.char
	v := C.sl_file_open(name, &code, &what)
	if v == nil {
		return nil, fmt.Errorf("cannot %s %s: %w", C.GoString(what), path, avError(code))
	}
	return &videoHandle{v: v}, nil
}

// send gives one access unit with a tag that its picture will carry.
func (h *videoHandle) send(au []byte, tag int64) error {
	if r := C.sl_decoder_send(h.v, (*C.uint8_t)(unsafe.Pointer(&au[0])), C.int(len(au)), C.int64_t(tag)); r < 0 {
		return avError(r)
	}
	return nil
}

// drain asks for what is under way; after it was received, the decoder has to be reset.
func (h *videoHandle) drain() { C.sl_decoder_send(h.v, nil, 0, 0) }

func (h *videoHandle) reset() { C.sl_decoder_reset(h.v) }

// receive makes the next decoded picture current; ok is false where there is none yet.
func (h *videoHandle) receive() (ok bool, err error) {
	return h.got(C.sl_decoder_receive(h.v, &h.info))
}

// read makes the next picture of a file current; ok is false at its end.
func (h *videoHandle) read() (ok bool, err error) {
	return h.got(C.sl_file_read(h.v, &h.info))
}

func (h *videoHandle) got(r C.int) (bool, error) {
	if r < 0 {
		return false, avError(r)
	}
	return r == C.SL_GOT, nil
}

func (h *videoHandle) size() (width, height int) { return int(h.info.width), int(h.info.height) }
func (h *videoHandle) pts() int64                { return int64(h.info.pts) }
func (h *videoHandle) damaged() bool             { return h.info.damaged != 0 }

// copyTo writes the current picture into one of its size.
func (h *videoHandle) copyTo(p *image.YCbCr) error {
	if r := C.sl_video_copy(h.v, (*C.uint8_t)(unsafe.Pointer(&p.Y[0])), C.int(p.YStride),
		(*C.uint8_t)(unsafe.Pointer(&p.Cb[0])), (*C.uint8_t)(unsafe.Pointer(&p.Cr[0])), C.int(p.CStride)); r < 0 {
		return avError(r)
	}
	return nil
}

func (h *videoHandle) rewind() error {
	if r := C.sl_file_rewind(h.v); r < 0 {
		return avError(r)
	}
	return nil
}

func (h *videoHandle) length() time.Duration {
	return time.Duration(C.sl_file_length(h.v)) * time.Microsecond
}

func (h *videoHandle) interval() time.Duration {
	return time.Duration(C.sl_file_interval(h.v)) * time.Microsecond
}

// faults returns how many pictures were cut short or did not decode, and where the first was.
func (h *videoHandle) faults() (n int, first time.Duration) {
	var at C.int64_t
	n = int(C.sl_file_faults(h.v, &at))
	return n, time.Duration(at) * time.Microsecond
}

func (h *videoHandle) free() {
	C.sl_video_free(h.v)
	h.v = nil
}

// audioHandle is a sound file of libav, read as 48 kHz mono. One goroutine uses it.
type audioHandle struct{ a *C.sl_audio }

func openAudioFile(path string) (*audioHandle, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var code C.int
	var what *C.char
	a := C.sl_audio_open(name, &code, &what)
	if a == nil {
		return nil, fmt.Errorf("cannot %s %s: %w", C.GoString(what), path, avError(code))
	}
	return &audioHandle{a: a}, nil
}

// read fills out as far as the sound goes; 0 is its end.
func (h *audioHandle) read(out []int16) (int, error) {
	n := C.sl_audio_read(h.a, (*C.int16_t)(unsafe.Pointer(&out[0])), C.int(len(out)))
	if n < 0 {
		return 0, avError(n)
	}
	return int(n), nil
}

func (h *audioHandle) rewind() error {
	if r := C.sl_audio_rewind(h.a); r < 0 {
		return avError(r)
	}
	return nil
}

func (h *audioHandle) free() {
	C.sl_audio_free(h.a)
	h.a = nil
}
