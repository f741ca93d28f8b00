package sfu

// maxGroup bounds the packets that are kept for who comes in the middle: what a link carries in a moment.
const maxGroup = 160

// group are the packets of an up track since its last key frame began, so that a new receiver sees a picture
// at once and its publisher need not be asked. Up's lock guards it.
type group struct {
	packets []*Packet
	whole   bool // nothing since the key frame was left out
	frames  int
	pool    *Pool

	key     []*Packet // the last whole key frame
	coming  []*Packet // the one that is coming
	comesTS uint32
}

// take follows the stream.
func (g *group) take(p *Packet) {
	g.keep(p)
	g.add(p)
}

// keep keeps the last whole key frame.
func (g *group) keep(p *Packet) {
	n := len(g.coming)
	switch {
	case p.Key && (n == 0 || g.comesTS != p.Header.Timestamp):
		release(g.coming, g.pool)
		g.coming, g.comesTS = g.coming[:0], p.Header.Timestamp
	case n == 0 || g.comesTS != p.Header.Timestamp:
		return
	case p.Header.SequenceNumber != g.coming[n-1].Header.SequenceNumber+1 || n == maxKey:
		release(g.coming, g.pool)
		g.coming = g.coming[:0]
		return
	}
	p.Retain()
	g.coming = append(g.coming, p)
	if p.Header.Marker {
		release(g.key, g.pool)
		g.key, g.coming = g.coming, g.key[:0]
	}
}

// maxKey bounds the packets of a key frame that is kept.
const maxKey = 512

// end lets go of everything.
func (g *group) end() {
	g.clear()
	release(g.key, g.pool)
	release(g.coming, g.pool)
	g.key, g.coming = nil, nil
}

func (g *group) add(p *Packet) {
	n := len(g.packets)
	fresh := n == 0 || g.packets[n-1].Header.Timestamp != p.Header.Timestamp
	switch {
	case p.Key && fresh:
		g.clear()
		g.whole = true
	case !g.whole:
		return
	case n == maxGroup, p.Header.SequenceNumber != g.packets[n-1].Header.SequenceNumber+1:
		g.clear()
		return
	}
	if fresh {
		g.frames++
	}
	p.Retain()
	g.packets = append(g.packets, p)
}

func (g *group) clear() {
	for i, p := range g.packets {
		p.Release(g.pool)
		g.packets[i] = nil
	}
	g.packets, g.whole, g.frames = g.packets[:0], false, 0
}

// each calls fn with the packets and the timestamps to show them under: the frames before the last follow
// one another by a millisecond and end at the last one's own time, so that the receiver catches up and is not
// behind for good.
func (g *group) each(clock uint32, fn func(p *Packet, timestamp uint32)) {
	if len(g.packets) == 0 {
		return
	}
	head := g.packets[len(g.packets)-1].Header.Timestamp
	frame, last := 0, g.packets[0].Header.Timestamp
	for _, p := range g.packets {
		if p.Header.Timestamp != last {
			frame, last = frame+1, p.Header.Timestamp
		}
		fn(p, head-uint32(g.frames-1-frame)*(clock/1000))
	}
}
