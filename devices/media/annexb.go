package media

// NAL unit types of H.264 that this package looks at (ITU-T H.264, table 7-1).
const (
	nalIDR = 5
	nalSPS = 7
	nalPPS = 8
)

// nals calls f for each NAL unit of an Annex B stream, without its start code, until f returns false.
func nals(annexB []byte, f func(nal []byte) bool) {
	start := -1
	for i := 0; i+2 < len(annexB); i++ {
		if annexB[i] != 0 || annexB[i+1] != 0 || annexB[i+2] != 1 {
			continue
		}
		if start >= 0 && !f(trimZeros(annexB[start:i])) {
			return
		}
		start = i + 3
		i += 2
	}
	if start >= 0 && start < len(annexB) {
		f(trimZeros(annexB[start:]))
	}
}

// trimZeros drops what belongs to the next start code.
func trimZeros(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// hasKeyFrame says whether a picture that needs no other is in it.
func hasKeyFrame(annexB []byte) bool {
	found := false
	nals(annexB, func(nal []byte) bool {
		found = len(nal) > 0 && nal[0]&0x1f == nalIDR
		return !found
	})
	return found
}

// withFullRange returns the access unit with its sequence parameter set saying that samples use the full
// range 0..255 of BT.601, which the codec does and its library forgets to say: without it a player
// stretches the picture.
func withFullRange(annexB []byte) []byte {
	out := make([]byte, 0, len(annexB)+16)
	nals(annexB, func(nal []byte) bool {
		out = append(out, 0, 0, 0, 1)
		if len(nal) > 0 && nal[0]&0x1f == nalSPS {
			if sps, ok := fullRangeSPS(nal); ok {
				nal = sps
			}
		}
		out = append(out, nal...)
		return true
	})
	return out
}
