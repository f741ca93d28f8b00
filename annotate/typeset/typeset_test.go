package typeset

import (
	"image"
	"strings"
	"testing"
)

func faces(t testing.TB) *Faces {
	t.Helper()
	f, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// ink adds up what a text puts on a picture, and where its last column of ink is.
func ink(f *Faces, text string, size float64) (sum, right int) {
	f.Layout(text, 0, 30, size, false, func(g Glyph, px, py int) {
		for i, a := range g.Mask.Pix {
			sum += int(a)
			if a > 0 {
				right = max(right, px+i%g.Mask.Stride)
			}
		}
	})
	return sum, right
}

// TestFallback wants every rune of a mixed string to be drawn with ink of its own.
func TestFallback(t *testing.T) {
	f := faces(t)
	seen := map[string]rune{}
	for _, r := range "Aé°³ω阀门压力按下先关闭进料" {
		g := f.render(glyphKey{r: r, size: 20})
		if g.Mask == nil || g.Advance <= 0 {
			t.Errorf("%c has no glyph", r)
			continue
		}
		if old, ok := seen[string(g.Mask.Pix)]; ok {
			t.Errorf("%c looks as %c does: a box for what is missing?", r, old)
		}
		seen[string(g.Mask.Pix)] = r
	}
}

func TestMeasure(t *testing.T) {
	f := faces(t)
	for _, text := range []string{"Feed pump 7", "进料阀 3", "Turn right · 右转"} {
		w, h := f.Measure(text, 20, false)
		_, right := ink(f, text, 20)
		if d := w - float64(right); d < -2 || d > 4 || h < 20 || h > 30 {
			t.Errorf("%q measures %.1f x %.1f, its ink ends at %d", text, w, h, right)
		}
		if wide, _ := f.Measure(text, 40, false); wide < 1.95*w || wide > 2.05*w {
			t.Errorf("%q at twice the size is %.2f times as wide", text, wide/w)
		}
	}
	if w, _ := f.Measure("", 20, false); w != 0 {
		t.Errorf("nothing is %g wide", w)
	}
}

// TestClip wants the longest beginning that fits with its dots.
func TestClip(t *testing.T) {
	f := faces(t)
	width := func(s string) float64 { w, _ := f.Measure(s, 17, true); return w }
	for _, text := range []string{"", "A", "Feed pump 7", "先关闭此阀门等待", "Close: 先关闭此阀门", "il.il.il.WWW"} {
		for room := -5.0; room < 200; room += 3.3 {
			want := text
			for r := []rune(text); width(want) > room && len(r) > 0; r = r[:len(r)-1] {
				want = string(r) + "…"
			}
			if got := f.Clip(text, 17, true, room); got != want {
				t.Errorf("%q in %.1f px is %q, want %q", text, room, got, want)
			}
		}
	}
	long := strings.Repeat("x", 200_000)
	if n := testing.AllocsPerRun(1, func() { f.Clip(long, 17, true, 100) }); n > 1 {
		t.Errorf("clipping a long text takes %g allocations: it is measured piece by piece", n)
	}
}

func TestWrap(t *testing.T) {
	f := faces(t)
	const text = "Close this valve first, then wait: 先关闭此阀门等待压力降到零 averyveryverylongwordwithoutanyspace"
	lines := f.Wrap(text, 17, false, 150, 20)
	for _, l := range lines {
		if w, _ := f.Measure(l, 17, false); w > 150 {
			t.Errorf("line %q is %.0f wide, at most 150", l, w)
		}
	}
	squeeze := func(s string) string { return strings.ReplaceAll(s, " ", "") }
	if got := squeeze(strings.Join(lines, "")); got != squeeze(text) {
		t.Errorf("wrapped text is %q", got)
	}
	if short := f.Wrap(text, 17, false, 150, 2); len(short) != 2 || !strings.HasSuffix(short[1], "…") {
		t.Errorf("two lines at most: %q", short)
	}
	if got := f.Wrap("", 17, false, 150, 2); len(got) != 0 {
		t.Errorf("nothing wraps to %q", got)
	}
	if got := f.Wrap("字", 17, false, 1, 2); len(got) != 1 {
		t.Errorf("one rune in no room wraps to %q", got)
	}
}

// BenchmarkLayout is a line of mixed text whose glyphs are kept already.
func BenchmarkLayout(b *testing.B) {
	f := faces(b)
	draw := func(g Glyph, px, py int) { _ = image.Pt(px, py) }
	b.ReportAllocs()
	for b.Loop() {
		f.Layout("Close this valve first: 先关闭此阀门", 10.25, 20, 17, false, draw)
	}
}
