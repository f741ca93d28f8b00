package media

import "bytes"

// fullRangeSPS rewrites a baseline sequence parameter set (ITU-T H.264, 7.3.2.1.1 and E.1.1) so that its
// video_signal_type says full range, BT.601. ok is false where the set is of another kind than the
// encoder makes; it then stays as it was.
func fullRangeSPS(nal []byte) (out []byte, ok bool) {
	if len(nal) < 5 || nal[1] != 66 && nal[1] != 77 {
		return nil, false // other profiles have more fields
	}
	r := &bitReader{data: unescape(nal[1:])}
	w := &bitWriter{}
	w.copyBits(r, 24)    // profile_idc, constraint flags, level_idc
	w.copyUE(r)          // seq_parameter_set_id
	w.copyUE(r)          // log2_max_frame_num_minus4
	switch w.copyUE(r) { // pic_order_cnt_type
	case 0:
		w.copyUE(r)
	case 2:
	default:
		return nil, false
	}
	w.copyUE(r)      // max_num_ref_frames
	w.copyBits(r, 1) // gaps_in_frame_num_value_allowed_flag
	w.copyUE(r)      // pic_width_in_mbs_minus1
	w.copyUE(r)      // pic_height_in_map_units_minus1
	if w.copyBits(r, 1) == 0 {
		w.copyBits(r, 1) // mb_adaptive_frame_field_flag
	}
	w.copyBits(r, 1)           // direct_8x8_inference_flag
	if w.copyBits(r, 1) == 1 { // frame_cropping_flag
		for range 4 {
			w.copyUE(r)
		}
	}
	if !copyVUI(r, w) || r.short {
		return nil, false
	}
	return append([]byte{nal[0]}, escape(bytes.TrimRight(w.data, "\x00"))...), true
}

// copyVUI copies the usability information with the video signal type put in, or makes one.
func copyVUI(r *bitReader, w *bitWriter) bool {
	had := r.bits(1) == 1
	w.put(1, 1)
	if had {
		if w.copyBits(r, 1) == 1 && w.copyBits(r, 8) == 255 { // aspect_ratio
			w.copyBits(r, 32)
		}
		if w.copyBits(r, 1) == 1 { // overscan
			w.copyBits(r, 1)
		}
		if r.bits(1) == 1 { // video_signal_type: replaced
			r.bits(4)
			if r.bits(1) == 1 {
				r.bits(24)
			}
		}
	} else {
		w.put(0, 2)
	}
	w.put(1, 1) // video_signal_type_present_flag
	w.put(5, 3) // video_format: unspecified
	w.put(1, 1) // video_full_range_flag
	w.put(1, 1) // colour_description_present_flag
	w.put(6, 8) // colour_primaries: SMPTE 170M
	w.put(6, 8) // transfer_characteristics: SMPTE 170M
	w.put(6, 8) // matrix_coefficients: BT.601 of 525 lines
	if had {
		for r.left() > 0 { // the rest as it was, its stop bit with it
			w.copyBits(r, 1)
		}
		w.align()
		return !r.short
	}
	w.put(0, 5) // chroma_loc, timing, nal_hrd, vcl_hrd, pic_struct
	w.put(1, 1) // bitstream_restriction_flag: no picture waits for another
	w.put(1, 1) // motion_vectors_over_pic_boundaries_flag
	w.putUE(0)  // max_bytes_per_pic_denom: no limit
	w.putUE(0)  // max_bits_per_mb_denom: no limit
	w.putUE(16) // log2_max_mv_length_horizontal
	w.putUE(16) // log2_max_mv_length_vertical
	w.putUE(0)  // max_num_reorder_frames
	w.putUE(1)  // max_dec_frame_buffering
	w.put(1, 1)
	w.align()
	return true
}

// bitReader reads bits from the most significant on; short says that it was asked for too many.
type bitReader struct {
	data  []byte
	pos   int
	short bool
}

func (r *bitReader) left() int { return 8*len(r.data) - r.pos }

func (r *bitReader) bits(n int) uint32 {
	var v uint32
	for range n {
		v <<= 1
		if r.left() <= 0 {
			r.short = true
			continue
		}
		v |= uint32(r.data[r.pos/8]>>(7-r.pos%8)) & 1
		r.pos++
	}
	return v
}

// ue reads an unsigned Exp-Golomb number (9.1).
func (r *bitReader) ue() uint32 {
	zeros := 0
	for r.bits(1) == 0 {
		if zeros++; zeros > 31 || r.short {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.bits(zeros)
}

// bitWriter writes bits from the most significant on.
type bitWriter struct {
	data []byte
	used int
}

func (w *bitWriter) put(v uint32, n int) {
	for n--; n >= 0; n-- {
		if w.used%8 == 0 {
			w.data = append(w.data, 0)
		}
		w.data[w.used/8] |= byte(v>>n&1) << (7 - w.used%8)
		w.used++
	}
}

func (w *bitWriter) putUE(v uint32) {
	n := 0
	for (v+1)>>(n+1) != 0 {
		n++
	}
	w.put(0, n)
	w.put(v+1, n+1)
}

func (w *bitWriter) align() { w.used = 8 * len(w.data) }

func (w *bitWriter) copyBits(r *bitReader, n int) uint32 {
	v := r.bits(n)
	w.put(v, n)
	return v
}

func (w *bitWriter) copyUE(r *bitReader) uint32 {
	v := r.ue()
	w.putUE(v)
	return v
}

// unescape drops the emulation prevention bytes (7.4.1), escape puts them in.
func unescape(b []byte) []byte { return bytes.ReplaceAll(b, []byte{0, 0, 3}, []byte{0, 0}) }

func escape(b []byte) []byte {
	out := make([]byte, 0, len(b)+4)
	zeros := 0
	for _, c := range b {
		if zeros >= 2 && c <= 3 {
			out = append(out, 3)
			zeros = 0
		}
		out = append(out, c)
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
	}
	return out
}
