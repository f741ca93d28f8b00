package longrun

import (
	"context"
	"encoding/binary"
	"math"
	"os/exec"
)

// sound compares the probe's tones and flashes in its film: each flash's first picture was captured a known time
// after its tone began.
func (s *session) sound(ctx context.Context, t *Table) error {
	rows, err := s.frames("Probe")
	if err != nil {
		return err
	}
	captured := map[int]int64{} // by milliseconds of the film
	for _, r := range rows {
		captured[int(math.Round(1000*r.film))] = r.captured
	}
	tones, err := onsets(ctx, s.film("Probe"))
	if err != nil {
		return err
	}
	var apart []float64
	was := true
	err = decode(ctx, s.film("Probe"), "scale=8:8", "gray", 64, func(at float64, picture []byte) {
		is := picture[27] > 128
		if is && !was {
			for d := -1; d <= 1; d++ {
				c, ok := captured[int(math.Round(1000*at))+d]
				if !ok {
					continue
				}
				since := float64((c-s.probe.began)%1_000_000) / 1e6
				if tone, ok := nearest(tones, at-since); ok {
					apart = append(apart, 1000*math.Abs(at-since-tone))
				}
				break
			}
		}
		was = is
	})
	d := spreadOf(apart)
	t.add("sound against picture", "%d tones and flashes: %.0f ms p50, %.0f ms p95, %.0f ms at most", len(apart), d.p50, d.p95, d.most)
	t.want(len(apart) > 3 && d.most <= 40, "sound and picture are up to %.0f ms apart in %d places", d.most, len(apart))
	return err
}

// nearest returns the time that is nearest to another, within 300 ms.
func nearest(all []float64, at float64) (best float64, ok bool) {
	for _, v := range all {
		if d := math.Abs(v - at); d < 0.3 && (!ok || d < math.Abs(best-at)) {
			best, ok = v, true
		}
	}
	return best, ok
}

// onsets returns when the tone begins in a film's sound, seconds: where its power in 5 ms passes a tenth of the most.
func onsets(ctx context.Context, film string) (out []float64, err error) {
	raw, err := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-i", film, "-map", "0:a", "-f", "s16le", "-ac", "1", "-ar", "48000", "-").Output()
	if err != nil {
		return nil, err
	}
	const rate, window, hop, period = 48000, 240, 24, 48000 / toneHertz
	var sin, cos [period]float64
	for i := range period {
		sin[i], cos[i] = math.Sincos(2 * math.Pi * float64(i) / period)
	}
	var loud []float64
	most := 0.0
	for from := 0; 2*(from+window) <= len(raw); from += hop {
		re, im := 0.0, 0.0
		for i := range window {
			v := float64(int16(binary.LittleEndian.Uint16(raw[2*(from+i):])))
			re, im = re+v*cos[i%period], im+v*sin[i%period]
		}
		loud = append(loud, re*re+im*im)
		most = max(most, loud[len(loud)-1])
	}
	quiet := 0
	for i, p := range loud {
		if p < most/10 {
			quiet++
			continue
		}
		if quiet > rate/hop/4 {
			out = append(out, float64(i*hop+window)/rate) // the window's end has just reached it
		}
		quiet = 0
	}
	return out, nil
}
