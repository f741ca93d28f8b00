package media

import (
	"bytes"
	"testing"
)

func TestTemporal(t *testing.T) {
	for name, c := range map[string]struct {
		codec   string
		payload []byte
		layer   uint8
		up      bool
	}{
		"H.264, needed":               {H264, []byte{0x61, 1, 2}, 0, true},
		"H.264, not needed":           {H264, []byte{0x01, 1, 2}, 1, true},
		"H.264, fragment, not needed": {H264, []byte{0x1c, 0x81, 2}, 1, true},
		"H.264, fragment of a key":    {H264, []byte{0x7c, 0x85, 2}, 0, true},
		"H.264, SEI":                  {H264, []byte{0x06, 1, 2}, 0, true},
		"VP8, no layers":              {VP8, []byte{0x10, 1, 2, 3}, 0, true},
		"VP8, all fields":             {VP8, []byte{0x90, 0xe0, 0x81, 0x23, 0x07, 0x60, 1}, 1, true},
		"VP8, layer 2 of three":       {VP8, []byte{0x90, 0xe0, 0x81, 0x23, 0x07, 0x80, 1}, 2, false},
		"VP8, short picture ID":       {VP8, []byte{0x90, 0xa0, 0x41, 0x60, 1}, 1, true},
		"VP8, layer only":             {VP8, []byte{0x90, 0x20, 0x40, 1}, 1, false},
		"VP8, cut off":                {VP8, []byte{0x90, 0xe0, 0x81}, 0, true},
		"VP9":                         {VP9, []byte{0xa0, 0x81, 0x23, 0x30, 0x07}, 1, true},
		"VP9, layer 2":                {VP9, []byte{0xa0, 0x23, 0x40, 0x07}, 2, false},
		"VP9, no layers":              {VP9, []byte{0x80, 0x23, 0x40, 0x07}, 0, true},
	} {
		if layer, up := Temporal(c.codec, c.payload); layer != c.layer || up != c.up {
			t.Errorf("%s: layer %d, up %v; want %d, %v", name, layer, up, c.layer, c.up)
		}
	}
}

func TestShiftVP8(t *testing.T) {
	for _, c := range []struct {
		by       uint16
		in, want []byte
	}{
		{1, []byte{0x90, 0x80, 0x81, 0x00, 9}, []byte{0x90, 0x80, 0x80, 0xff, 9}},
		{3, []byte{0x90, 0x80, 0x80, 0x01, 9}, []byte{0x90, 0x80, 0xff, 0xfe, 9}},
		{3, []byte{0x90, 0x80, 0x01, 9}, []byte{0x90, 0x80, 0x7e, 9}},
		{3, []byte{0x90, 0x20, 0x40, 9}, []byte{0x90, 0x20, 0x40, 9}},
		{3, []byte{0x10, 1, 2}, []byte{0x10, 1, 2}},
	} {
		got := bytes.Clone(c.in)
		if ShiftVP8(got, c.by); !bytes.Equal(got, c.want) {
			t.Errorf("% x lowered by %d: % x, want % x", c.in, c.by, got, c.want)
		}
	}
}

// L1T3: five templates with the layers 0, 0, 1, 2, 2, beginning at number 60.
func TestDependencies(t *testing.T) {
	var d Dependencies
	if got := d.Temporal([]byte{62, 0, 1}); got != 0 {
		t.Errorf("before the structure: layer %d", got)
	}
	//   flags: 1 0 0 0 0, offset 60: 111100, targets: 00010, layers: 00 01 01 00 11
	structure := []byte{60, 0, 1, 0b10000111, 0b10000010, 0b00010100, 0b11000000}
	if got := d.Temporal(structure); got != 0 {
		t.Errorf("key frame: layer %d", got)
	}
	for template, want := range map[byte]uint8{60: 0, 61: 0, 62: 1, 63: 2, 0: 2, 1: 0} {
		if got := d.Temporal([]byte{0xc0 | template, 0, 2}); got != want {
			t.Errorf("template %d: layer %d, want %d", template, got, want)
		}
	}
}
