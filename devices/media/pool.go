package media

import (
	"image"
	"sync"
)

// pool lends pictures of one size at a time; a change of size starts afresh. It is safe for use by
// several goroutines, and its pictures may be given back after the pool's owner is gone.
type pool struct {
	mu   sync.Mutex
	free []*image.YCbCr
}

// poolDepth bounds what is kept for reuse; more than this in flight is the garbage collector's.
const poolDepth = 8

// get lends a picture of that size with undefined content, and the function that gives it back.
func (p *pool) get(width, height int) (*image.YCbCr, func()) {
	pic := p.take(width, height)
	if pic == nil {
		pic = image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	}
	var once sync.Once
	return pic, func() { once.Do(func() { p.put(pic) }) }
}

func (p *pool) take(width, height int) *image.YCbCr {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := len(p.free); n > 0; n = len(p.free) {
		pic := p.free[n-1]
		p.free = p.free[:n-1]
		if pic.Rect.Dx() == width && pic.Rect.Dy() == height {
			return pic
		}
	}
	return nil
}

func (p *pool) put(pic *image.YCbCr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < poolDepth {
		p.free = append(p.free, pic)
	}
}
