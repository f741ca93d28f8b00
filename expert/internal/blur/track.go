package blur

import (
	"image"
	"sort"
)

// link follows faces from picture to picture: a box goes on with the nearest track that is not too far or too long
// ago.
func link(looks []look) (tracks []track) {
	for _, l := range looks {
		taken := map[int]bool{}
		for _, b := range l.boxes {
			best, near := -1, 0.0
			for i, t := range tracks {
				last := t.box[len(t.box)-1]
				gap := l.at - t.at[len(t.at)-1]
				d := distance(b, last) / float64(max(b.Dx(), last.Dx()))
				if !taken[i] && gap <= bridge && d < 1+float64(gap)/every/2 && similar(b, last) && (best < 0 || d < near) {
					best, near = i, d
				}
			}
			if best < 0 {
				best = len(tracks)
				tracks = append(tracks, track{})
			}
			taken[best] = true
			tracks[best].at, tracks[best].box = append(tracks[best].at, l.at), append(tracks[best].box, b)
		}
	}
	return tracks
}

// distance is that of two boxes' middles, the longer of its two sides.
func distance(a, b image.Rectangle) float64 {
	dx, dy := a.Min.X+a.Max.X-b.Min.X-b.Max.X, a.Min.Y+a.Max.Y-b.Min.Y-b.Max.Y
	return float64(max(dx, -dx, dy, -dy)) / 2
}

// similar says whether two boxes may be of one face by their size.
func similar(a, b image.Rectangle) bool {
	return a.Dx() < 2*b.Dx() && b.Dx() < 2*a.Dx()
}

// where is the face at an instant: on the straight way between the pictures that it was found in, and grown.
func (t *track) where(session int64) (image.Rectangle, bool) {
	n := len(t.at)
	if session < t.at[0]-around || session > t.at[n-1]+around {
		return image.Rectangle{}, false
	}
	i := sort.Search(n, func(i int) bool { return t.at[i] > session })
	b := t.box[max(0, i-1)]
	if i > 0 && i < n {
		b = between(t.box[i-1], t.box[i], float64(session-t.at[i-1])/float64(t.at[i]-t.at[i-1]))
	}
	return b.Inset(-int(grow * float64(b.Dx()))), true
}

func between(a, b image.Rectangle, f float64) image.Rectangle {
	mix := func(p, q int) int { return p + int(f*float64(q-p)) }
	return image.Rect(mix(a.Min.X, b.Min.X), mix(a.Min.Y, b.Min.Y), mix(a.Max.X, b.Max.X), mix(a.Max.Y, b.Max.Y))
}

// cells is how many plain squares are left of a face in each direction.
const cells = 5

// Hide makes boxes of a picture unrecognisable: each becomes a few plain squares.
func Hide(p *image.YCbCr, boxes []image.Rectangle) {
	for _, b := range boxes {
		b = b.Add(p.Rect.Min).Intersect(p.Rect)
		if b.Empty() {
			continue
		}
		side := max(8, b.Dx()/cells, b.Dy()/cells) &^ 1
		for y := b.Min.Y; y < b.Max.Y; y += side {
			for x := b.Min.X; x < b.Max.X; x += side {
				cell := image.Rect(x, y, x+side, y+side).Intersect(b)
				plain(p.Y, p.YStride, cell.Sub(p.Rect.Min))
				half := cell.Sub(p.Rect.Min)
				half = image.Rect(half.Min.X/2, half.Min.Y/2, (half.Max.X+1)/2, (half.Max.Y+1)/2)
				plain(p.Cb, p.CStride, half)
				plain(p.Cr, p.CStride, half)
			}
		}
	}
}

// plain makes all samples of a box their mean.
func plain(pix []uint8, stride int, r image.Rectangle) {
	sum, n := 0, 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for _, v := range pix[y*stride+r.Min.X : y*stride+r.Max.X] {
			sum, n = sum+int(v), n+1
		}
	}
	for y := r.Min.Y; y < r.Max.Y && n > 0; y++ {
		row := pix[y*stride+r.Min.X : y*stride+r.Max.X]
		for x := range row {
			row[x] = uint8(sum / n)
		}
	}
}
