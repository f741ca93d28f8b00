package desk

import (
	"fmt"
	"image/color"
	"strings"
	"time"
	"unicode"

	"sightline/annotate/scene"
	"sightline/expert/internal/compose"
	"sightline/expert/internal/deck"
	"sightline/expert/internal/tape"
	"sightline/vision/geom"
)

// Review is what a desk shows of a recorded session beside the picture.
type Review struct {
	Deck *deck.Deck
	Tape *tape.Tape
	// Wall is the clock of who looks, beside that of what is shown.
	Wall func() time.Time
	// Proven says whether the case is as it was recorded; Verdict says so, or why not, in a sentence.
	Proven  bool
	Verdict string
}

// search is a search for words.
type search struct {
	open bool
	text []rune
	hits []tape.Hit
	pick int
}

// leap is how far the arrow keys go with Ctrl, µs.
const leap = 5_000_000

// reviewed takes an event of a desk that shows the past.
func (d *Desk) reviewed(e Event) {
	d.panelsDirty, d.pictureDirty = true, true
	switch e.Kind {
	case Moved:
		d.mouse = e.At
		h, _ := d.hitAt(e.At)
		d.hover = h.id
		if d.dragging {
			d.cfg.Review.Deck.GoTo(d.instantAt(e.At[0]))
		}
	case Pressed:
		d.mouse = e.At
		if h, ok := d.hitAt(e.At); ok {
			d.DoReview(h.id)
			return
		}
		if d.lanes().Has(e.At) {
			d.dragging = true
			d.cfg.Review.Deck.GoTo(d.instantAt(e.At[0]))
		}
	case Released:
		d.dragging = false
	case Struck:
		d.reviewKey(e.Key, e.Ctrl)
	case Typed:
		d.reviewTyped(e)
	}
}

func (d *Desk) reviewTyped(e Event) {
	switch {
	case d.search.open && unicode.IsPrint(e.Rune) && len(d.search.text) < 100:
		d.search.text = append(d.search.text, e.Rune)
		d.look()
	case d.search.open || e.Again:
	case e.Rune == ' ':
		d.reviewKey(KeySpace, false)
	default:
		d.reviewKey(Key(string(unicode.ToUpper(e.Rune))), false)
	}
}

// reviewKeys are the shortcuts, by key; with Ctrl the same with a + before.
var reviewKeys = map[Key]string{KeySpace: "play", KeyLeft: "step:-1", KeyRight: "step:1", ",": "step:-1", ".": "step:1", "+Left": "leap:-1", "+Right": "leap:1",
	"J": "leap:-1", "L": "leap:1", KeyUp: "moment:-1", KeyDown: "moment:1", KeyHome: "start", KeyEnd: "end", "1": "speed:1", "2": "speed:2", "4": "speed:4",
	"/": "search", "+F": "search", "F": "search", KeyEnter: "search", KeyTab: "panel"}

func (d *Desk) reviewKey(k Key, ctrl bool) {
	if d.search.open {
		switch k {
		case KeyEscape:
			d.search = search{}
			return
		case KeyEnter:
			d.jump(d.search.pick)
			return
		case KeyUp, KeyDown:
			d.search.pick += map[Key]int{KeyUp: -1, KeyDown: 1}[k]
			d.search.pick = max(0, min(d.search.pick, len(d.search.hits)-1))
			d.jump(d.search.pick)
			return
		case KeyBackspace:
			if n := len(d.search.text); n > 0 {
				d.search.text = d.search.text[:n-1]
				d.look()
			}
			return
		}
	}
	if ctrl {
		k = "+" + k
	}
	if id, ok := reviewKeys[k]; ok {
		d.DoReview(id)
	}
}

// look searches for what was typed.
func (d *Desk) look() {
	d.search.hits, d.search.pick = d.cfg.Review.Tape.Search(string(d.search.text)), 0
}

// jump goes to a moment that was found.
func (d *Desk) jump(i int) {
	if i >= 0 && i < len(d.search.hits) {
		d.search.pick = i
		d.cfg.Review.Deck.Play(false)
		d.cfg.Review.Deck.GoTo(d.search.hits[i].At)
	}
}

// DoReview carries out a command of a desk that shows the past.
func (d *Desk) DoReview(id string) {
	d.panelsDirty, d.pictureDirty = true, true
	k := d.cfg.Review.Deck
	kind, rest, _ := strings.Cut(id, ":")
	n := 0
	_, _ = fmt.Sscan(rest, &n) // 0 where there is no number
	switch kind {
	case "play":
		k.Play(!k.Playing())
	case "step":
		k.Step(n)
	case "leap":
		k.GoTo(k.Position() + int64(n)*leap)
	case "moment":
		d.nextMoment(n)
	case "start":
		k.GoTo(d.cfg.Review.Tape.Start)
	case "end":
		k.GoTo(d.cfg.Review.Tape.End)
	case "speed":
		k.SetSpeed(float64(n))
	case "hit":
		d.jump(n)
	case "camera":
		k.Show(rest)
		d.show(rest)
	case "mark":
		d.selected = rest
	case "search":
		d.search.open = true
		if d.hidden {
			d.hidden = false
			d.relayout()
		}
	case "panel":
		d.hidden = !d.hidden
		d.relayout()
	}
}

// nextMoment goes to the next thing that happened, or the one before.
func (d *Desk) nextMoment(dir int) {
	all, k := d.cfg.Review.Tape.Moments, d.cfg.Review.Deck
	if dir > 0 {
		for _, m := range all {
			if m.At > k.Position()+1000 {
				k.GoTo(m.At)
				return
			}
		}
		return
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].At < k.Position()-1000 {
			k.GoTo(all[i].At)
			return
		}
	}
}

// overPast draws what a recorded session has over its picture: why there is none, and that it is not proven.
func (d *Desk) overPast() {
	p, r, s := &d.overlay, d.lay.picture, d.scale
	if title, reason := d.cfg.Review.Deck.Cover(); title != "" {
		m := r.middle()
		p.box(ground, r, 0)
		p.ring(dim, geom.Vec2{m[0], m[1] - 52*s}, 20, 2.4)
		p.line(dim, 2.4, geom.Vec2{m[0] - 14*s, m[1] - 38*s}, geom.Vec2{m[0] + 14*s, m[1] - 66*s})
		p.centred(bright, Rect{r.X0, m[1] - 18*s, r.X1, m[1] + 14*s}, title, 22, true)
		p.centred(muted, Rect{r.X0 + 20, m[1] + 16*s, r.X1 - 20, m[1] + 40*s}, reason, 14, false)
	}
	if k := d.cfg.Review.Deck; k.Early() {
		words := fmt.Sprintf("Key frame %.1f s before; the exact picture is on its way", float64(k.Position()-k.Instant())/1e6)
		w := p.width(words, 13, false) + 24*s
		box := Rect{(r.X0 + r.X1 - w) / 2, r.Y1 - 40*s, (r.X0 + r.X1 + w) / 2, r.Y1 - 12*s}
		p.box(ground, box, 6)
		p.centred(bright, box, words, 13, false)
	}
	if !d.cfg.Review.Proven {
		box := Rect{r.X0, r.Y0, r.X1, r.Y0 + 34*s}
		p.box(redBar, box, 0)
		p.centred(bright, box, "NOT PROVEN · "+d.cfg.Review.Verdict, 14, true)
	}
}

// reviewTop is the bar with the room, the cameras and the seal.
func (d *Desk) reviewTop(pn *panel) {
	p, r, s := &pn.pad, d.lay.top, d.scale
	p.box(hairline, Rect{r.X0, r.Y1 - 1, r.X1, r.Y1}, 0)
	y := (r.Y0 + r.Y1) / 2
	iconPoint(p, geom.Vec2{r.X0 + 29*s, y}, accent)
	x := p.text(bright, r.X0+toolsWidth*s, y, d.room.Name, 17, true, 200*s) + 12*s
	x = p.text(muted, x, y, d.clock.UTC().Format("2 January 2006"), 14, false, 160*s) + 18*s
	right := d.sealChip(pn, y)
	for _, c := range d.room.Cameras {
		w := min(p.width(c.Name, 14, true)+42*s, 190*s)
		if x+w > right-10*s {
			break
		}
		tab := Rect{x, y - 15*s, x + w, y + 15*s}
		back, text := raised, muted
		if c.Participant == d.camera {
			back, text = color.NRGBA{30, 62, 94, 255}, bright
		}
		d.press(pn, tab, "camera:"+c.Participant, "Camera of "+c.Name)
		p.box(back, tab, 6)
		p.disc(accent, geom.Vec2{tab.X0 + 14*s, y}, 4)
		p.text(text, tab.X0+26*s, y, c.Name, 14, true, w-36*s)
		x = tab.X1 + 8*s
	}
}

// sealChip is the verdict on the case; it returns where it begins.
func (d *Desk) sealChip(pn *panel, y float64) float64 {
	p, s := &pn.pad, d.scale
	words, back, c := "PROVEN", color.NRGBA{14, 62, 38, 255}, green
	if !d.cfg.Review.Proven {
		words, back, c = "NOT PROVEN", redBox, bright
	}
	w := p.width(words, 13, true) + 44*s
	box := Rect{d.lay.top.X1 - 16*s - w, y - 15*s, d.lay.top.X1 - 16*s, y + 15*s}
	p.box(back, box, 15)
	at := geom.Vec2{box.X0 + 20*s, y}
	if d.cfg.Review.Proven {
		p.line(c, 2.4, geom.Vec2{at[0] - 5*s, at[1]}, geom.Vec2{at[0] - 1*s, at[1] + 4*s}, geom.Vec2{at[0] + 6*s, at[1] - 5*s})
	} else {
		p.line(c, 2.4, geom.Vec2{at[0] - 4*s, at[1] - 4*s}, geom.Vec2{at[0] + 4*s, at[1] + 4*s})
		p.line(c, 2.4, geom.Vec2{at[0] - 4*s, at[1] + 4*s}, geom.Vec2{at[0] + 4*s, at[1] - 4*s})
	}
	p.text(c, box.X0+34*s, y, words, 13, true, w)
	room := box.X0 - 14*s - d.lay.top.X0 - 620*s
	verdict := p.clip(d.cfg.Review.Verdict, 12.5, false, max(0, room))
	if d.cfg.Review.Proven && room > 120*s {
		return p.right(muted, box.X0-12*s, y, verdict, 12.5, false)
	}
	return box.X0
}

// Search looks for words and goes to where they were found first.
func (d *Desk) Search(words string) {
	d.DoReview("search")
	d.search.text = []rune(words)
	d.look()
	d.jump(0)
}

// said is what was being said at the instant that is shown, in lines that fit.
func (d *Desk) said() []scene.Notice {
	t, at := d.cfg.Review.Tape, d.cfg.Review.Deck.Instant()
	var out []scene.Notice
	for _, w := range t.Said(at) {
		if at >= w.At+compose.Stands(w.Text) {
			continue
		}
		for _, line := range d.cfg.Faces.Wrap(w.Name+": "+w.Text, 18*symbols*d.scale, false, d.lay.picture.W()-90*d.scale, 3) {
			out = append(out, scene.Notice{Text: line})
		}
	}
	return out
}

// Found are the moments that the search found; nobody writes it.
func (d *Desk) Found() []tape.Hit { return d.search.hits }
