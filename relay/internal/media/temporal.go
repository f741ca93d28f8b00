package media

// MaxTemporal is how many temporal layers are told apart.
const MaxTemporal = 4

// Temporal reads which temporal layer a packet is of: frames of layer 0 need none of the layers above, so that those can
// be left out and fewer pictures a second remain. up says that the layer can be gone up to from this frame on. Of AV1 the
// payload does not say it: see Dependencies.
func Temporal(codec string, payload []byte) (layer uint8, up bool) {
	switch {
	case is(codec, H264):
		return temporalH264(payload)
	case is(codec, VP8):
		if at := vp8Layer(payload); at > 0 {
			return payload[at] >> 6, payload[at]&0x20 != 0
		}
	case is(codec, VP9):
		return temporalVP9(payload)
	}
	return 0, true
}

// temporalH264 finds pictures that no other needs (nal_ref_idc 0): slices, alone or in fragments (RFC 6184).
func temporalH264(p []byte) (uint8, bool) {
	const slice, fragment = 1, 28
	if len(p) < 2 || p[0]&0x60 != 0 {
		return 0, true
	}
	if kind := p[0] & 0x1f; kind == slice || kind == fragment && p[1]&0x1f == slice {
		return 1, true
	}
	return 0, true
}

// vp8Layer returns where the octet with the temporal layer is in a payload descriptor (RFC 7741, section 4.2), or 0.
func vp8Layer(p []byte) int {
	at, flags := vp8Picture(p)
	if flags&0x20 == 0 {
		return 0
	}
	if flags&0x80 != 0 {
		if at >= len(p) {
			return 0
		}
		if at++; p[at-1]&0x80 != 0 {
			at++
		}
	}
	if flags&0x40 != 0 {
		at++
	}
	if at >= len(p) {
		return 0
	}
	return at
}

// vp8Picture returns where the picture ID would be, and the octet that says what there is.
func vp8Picture(p []byte) (at int, flags byte) {
	if len(p) < 3 || p[0]&0x80 == 0 {
		return 0, 0
	}
	return 2, p[1]
}

// ShiftVP8 lowers the picture ID of a VP8 payload, in place: where frames before it were left out.
func ShiftVP8(p []byte, by uint16) {
	at, flags := vp8Picture(p)
	switch {
	case flags&0x80 == 0 || at >= len(p):
	case p[at]&0x80 == 0:
		p[at] = (p[at] - byte(by)) & 0x7f
	case at+1 < len(p):
		id := (uint16(p[at]&0x7f)<<8 | uint16(p[at+1])) - by
		p[at], p[at+1] = 0x80|byte(id>>8), byte(id)
	}
}

// temporalVP9 reads the payload descriptor (RFC 9628, section 4.2): I, L and F, the picture ID, and the layers.
func temporalVP9(p []byte) (uint8, bool) {
	if len(p) < 2 || p[0]&0x20 == 0 {
		return 0, true
	}
	at := 1
	if p[0]&0x80 != 0 {
		if at++; p[1]&0x80 != 0 {
			at++
		}
	}
	if at >= len(p) {
		return 0, true
	}
	return min(p[at]>>5, MaxTemporal-1), p[at]&0x10 != 0
}

// DependencyURI names the header extension in which a publisher of AV1 says what each frame needs.
const DependencyURI = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"

// Dependencies reads dependency descriptors (AV1 RTP payload 1.0, appendix A) of one stream, in order.
type Dependencies struct {
	offset uint8
	layers []uint8 // the temporal layer of each template
}

// Temporal returns the temporal layer that a descriptor says.
func (d *Dependencies) Temporal(raw []byte) uint8 {
	if len(raw) < 3 {
		return 0
	}
	template := raw[0] & 0x3f
	if b := (&bits{p: raw, at: 24}); len(raw) > 3 && b.read(1) == 1 { // the structure comes with it
		b.read(4)
		d.offset = uint8(b.read(6))
		b.read(5)
		d.layers = d.layers[:0]
		for layer := uint8(0); len(d.layers) < 64; {
			d.layers = append(d.layers, min(layer, MaxTemporal-1))
			next := b.read(2)
			if next == 1 {
				layer++
			} else if next == 2 {
				layer = 0
			} else if next == 3 {
				break
			}
		}
	}
	if i := int((template - d.offset) & 0x3f); i < len(d.layers) {
		return d.layers[i]
	}
	return 0
}

// bits reads numbers of a few bits; after the end come ones.
type bits struct {
	p  []byte
	at int
}

func (b *bits) read(n int) (v int) {
	for range n {
		bit := 1
		if b.at/8 < len(b.p) {
			bit = int(b.p[b.at/8]>>(7-b.at%8)) & 1
		}
		v, b.at = v<<1|bit, b.at+1
	}
	return v
}
