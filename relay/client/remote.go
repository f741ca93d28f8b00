package client

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// AccessUnit is one picture or one packet of sound, as it was sent.
type AccessUnit struct {
	// Data is H.264 in Annex B with four-byte start codes, or an Opus packet.
	Data []byte
	// Captured is the publisher's capture time, the frame's name: µs since the Unix epoch on its clock.
	Captured int64
	// KeyFrame says that decoding can begin here; always true for sound.
	KeyFrame bool
	RTPTime  uint32
}

// RemoteTrack is a track of another participant. It ends when its publisher goes or the connection breaks.
type RemoteTrack struct {
	Participant string // ID of the publisher
	Name        string
	Kind        string // wire.Video or wire.Audio
	Codec       string // "video/H264", "audio/opus"; browsers may send "video/VP8" and others

	session *session
	units   chan media.Unit
	ended   chan struct{}
	end     sync.Once
	asked   atomic.Int64 // when a key frame was last asked for, unix µs
	ssrc    atomic.Uint32
	newest  atomic.Int64 // the capture time of the last unit

	// Owned by the slot's reading goroutine.
	reorder  media.Reorder
	assemble *media.Assembler

	packets, lost, frames, dropped atomic.Int64
}

// RemoteStats counts what a track has received.
type RemoteStats struct {
	Packets int64
	Lost    int64 // packets that never came, retransmission included
	Frames  int64 // whole access units
	Dropped int64 // access units let go because ReadFrame was not called in time
}

// queued is how many access units wait for ReadFrame: about a second.
const queued = 48

func newRemoteTrack(s *session, t wire.SignalTrack) *RemoteTrack {
	return &RemoteTrack{Participant: t.Participant, Name: t.Name, Kind: t.Kind, Codec: t.Codec,
		session: s, units: make(chan media.Unit, queued), ended: make(chan struct{})}
}

// ReadFrame waits for the next access unit. Video begins with a key frame, and after a loss goes on with
// the next key frame, which is asked for. When the reader is a second behind, units are dropped up to the
// next key frame. It returns io.EOF when the track has ended, and ctx's error when that ends first.
func (t *RemoteTrack) ReadFrame(ctx context.Context) (AccessUnit, error) {
	select {
	case u := <-t.units:
		return AccessUnit{Data: u.Data, Captured: u.Captured, KeyFrame: u.Key, RTPTime: u.RTPTime}, nil
	case <-t.ended:
		return AccessUnit{}, io.EOF
	case <-ctx.Done():
		return AccessUnit{}, ctx.Err()
	}
}

// Stats returns what has been received.
func (t *RemoteTrack) Stats() RemoteStats {
	return RemoteStats{t.packets.Load(), t.lost.Load(), t.frames.Load(), t.dropped.Load()}
}

// RequestKeyFrame asks the publisher for a key frame, at most twice a second. A decoder that has lost its
// way calls it.
func (t *RemoteTrack) RequestKeyFrame() {
	const pause = 500_000
	ssrc, now, last := t.ssrc.Load(), t.session.c.now(), t.asked.Load()
	if ssrc == 0 || t.Kind != wire.Video || now-last < pause || !t.asked.CompareAndSwap(last, now) {
		return
	}
	_ = t.session.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}})
}

// push takes a packet as it came from the network.
func (t *RemoteTrack) push(p *rtp.Packet, extension uint8, now time.Time) {
	if t.assemble == nil {
		t.assemble = media.NewAssembler(t.Codec, extension)
		t.asked.Store(now.UnixMicro()) // the relay asks for the first
		t.ssrc.Store(p.SSRC)
	}
	t.packets.Add(1)
	t.reorder.Patience = media.Patience(t.session.c.RTT())
	t.reorder.Push(p, now)
	for {
		next, lost, ok := t.reorder.Pop(now)
		if !ok {
			break
		}
		t.lost.Add(int64(lost))
		t.assemble.Push(next, lost, t.queue)
	}
	if t.assemble.Broken() {
		t.RequestKeyFrame()
	}
}

func (t *RemoteTrack) queue(u media.Unit) {
	if !t.put(u) {
		t.assemble.Break()
	}
}

// put hands a unit to the reader, where that is in time.
func (t *RemoteTrack) put(u media.Unit) bool {
	t.frames.Add(1)
	t.newest.Store(u.Captured)
	select {
	case t.units <- u:
		return true
	default:
		t.dropped.Add(1)
		return false
	}
}

func (t *RemoteTrack) close() { t.end.Do(func() { close(t.ended) }) }
