package bench

import (
	"math"
	"slices"

	"sightline/vision/geom"
)

// Dist sums up a distribution.
type Dist struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	Max float64 `json:"max"`
}

func distOf(x []float64) Dist {
	if len(x) == 0 {
		return Dist{}
	}
	s := slices.Clone(x)
	slices.Sort(s)
	at := func(q float64) float64 { return s[int(q*float64(len(s)-1)+0.5)] }
	return Dist{len(s), at(0.5), at(0.95), s[len(s)-1]}
}

// Marks is how the marks did against the truth.
type Marks struct {
	Drawn int `json:"drawn"`
	Shown int `json:"shown"` // marks that were ever shown in the field
	// Visible counts the (mark, frame) pairs in which the true point is in view, ShownShare the share of
	// them in which the mark was drawn.
	Visible    int     `json:"visible"`
	ShownShare float64 `json:"shown_share"`
	ErrorPx    Dist    `json:"error_px"`
	// WithinClaim is the share of shown marks within their claimed 95 % radius, WrongShare that of those
	// more than 10 px off.
	WithinClaim float64 `json:"within_claim"`
	WrongShare  float64 `json:"wrong_share"`
	// PerMark is the same for each mark by itself.
	PerMark []MarkResult `json:"per_mark,omitempty"`
}

// MarkResult is one mark against the truth.
type MarkResult struct {
	ID         string  `json:"id"`
	ShownShare float64 `json:"shown_share"`
	ErrorPx    Dist    `json:"error_px"`
}

// wrongPx is the distance from which a mark points at something else.
const wrongPx = 10

// claim95 is the radius, in pixels, within which a mark that claims sigma is to be in 95 of 100 frames:
// 2.45 sigma (two-dimensional normal), and the half pixel to which the truth of a pixel is known.
func claim95(sigma float64) float64 { return 2.45*sigma + 0.7 }

// judge compares each mark, in every frame after it was first shown, with where it truly is.
func judge(field fieldTrace, expert expertTrace, t truth, every int) Marks {
	m := Marks{}
	index := map[int64]int{}
	for _, f := range field.frames {
		index[f.Captured] = f.Frame
	}
	var all []float64
	shown, within, wrong := 0, 0, 0
	for _, e := range expert.events {
		if e.Event != "mark" || len(e.Points) == 0 || e.Shape == "pin" {
			continue
		}
		m.Drawn++
		if everShown(field, e.ID) {
			m.Shown++
		}
		frame, known := index[e.Captured]
		if t == nil || !known {
			continue
		}
		p, ok := t.surface(frame, geom.Vec2(e.Points[0]))
		if !ok {
			continue
		}
		r := MarkResult{ID: e.ID}
		var errs []float64
		visible := 0
		for i, f := range field.frames {
			k := slices.IndexFunc(f.Marks, func(x fieldMark) bool { return x.ID == e.ID })
			if k < 0 || i%every != 0 {
				continue
			}
			want, vis := t.see(f.Frame, p)
			if !vis {
				continue
			}
			visible++
			if x := f.Marks[k]; x.State == "shown" {
				d := math.Hypot(x.U-want[0], x.V-want[1])
				errs = append(errs, d)
				if d <= claim95(x.Sigma) {
					within++
				}
				if d > wrongPx {
					wrong++
				}
			}
		}
		m.Visible += visible
		shown += len(errs)
		all = append(all, errs...)
		r.ErrorPx, r.ShownShare = distOf(errs), share(len(errs), visible)
		m.PerMark = append(m.PerMark, r)
	}
	m.ErrorPx, m.ShownShare = distOf(all), share(shown, m.Visible)
	m.WithinClaim, m.WrongShare = share(within, shown), share(wrong, shown)
	return m
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func everShown(field fieldTrace, id string) bool {
	for _, f := range field.frames {
		for _, m := range f.Marks {
			if m.ID == id && m.State == "shown" {
				return true
			}
		}
	}
	return false
}

// delays are the times, in milliseconds, that people wait for.
type delays struct {
	captureToExpert, penToWorld, publishToExpert, publishToField, captureToView []float64
}

func measureDelays(field fieldTrace, expert expertTrace) delays {
	var d delays
	sent := map[string]int64{}
	for _, e := range expert.events {
		switch e.Event {
		case "frame":
			if e.Shown > 0 {
				d.captureToExpert = append(d.captureToExpert, ms(e.Shown-e.Captured))
			}
		case "tag":
			if e.Source > 0 {
				d.publishToExpert = append(d.publishToExpert, ms(e.Shown-e.Source))
			}
		case "mark":
			sent[e.ID] = e.Sent
		}
	}
	for _, e := range field.events {
		switch {
		case e.Event == "tag" && e.Source > 0:
			d.publishToField = append(d.publishToField, ms(e.Shown-e.Source))
		case e.Event == "mark" && e.ShownAt > 0 && sent[e.ID] > 0:
			d.penToWorld = append(d.penToWorld, ms(e.ShownAt-sent[e.ID]))
		}
	}
	for _, f := range field.frames {
		if f.Delay > 0 {
			d.captureToView = append(d.captureToView, ms(f.Delay))
		}
	}
	return d
}

func ms(us int64) float64 { return float64(us) / 1000 }
