package sfu

import (
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// toChunks makes a still of the key frame that is to be sent. The caller holds mu.
func (d *Down) toChunks() {
	u := d.stillOf
	captured, _ := wire.ParseAbsCaptureTime(d.still[0].Capture[:])
	var frame []byte
	a := media.NewAssembler(u.Codec, 0)
	for _, p := range d.still {
		a.Push(&rtp.Packet{Header: p.Header, Payload: p.Payload}, 0, func(unit media.Unit) { frame = unit.Data })
	}
	release(d.still, u.Pool)
	d.still = d.still[:0]
	if frame == nil {
		return
	}
	chunks, err := wire.Chunks(d.link.stills.Add(1), wire.StillHead{Participant: u.Participant, Name: u.Name, Codec: u.Codec, Captured: captured}, frame)
	if err != nil {
		d.link.Log.Warn("a key frame is no still", "participant", u.Participant, "track", u.Name, "error", err)
		return
	}
	d.chunks = chunks
}

// sendChunks sends as much of a still as there is credit for; what the channel does not take waits. The caller holds mu.
func (d *Down) sendChunks() {
	for len(d.chunks) > 0 && d.credit > 0 && d.link.still(d.chunks[0].Encode()) {
		d.credit -= float64(len(d.chunks[0].Data) + overhead)
		d.chunks = d.chunks[1:]
	}
}

// maxStillBuffer is how many bytes of stills may wait on the data channel: the log is not to wait behind them.
const maxStillBuffer = 4 << 10

// openStills makes the channel of the stills.
func (p *Peer) openStills() (*webrtc.DataChannel, error) {
	negotiated, ordered, id, most := true, false, wire.ChannelStillID, wire.StillTime
	return p.pc.CreateDataChannel(wire.ChannelStill, &webrtc.DataChannelInit{Negotiated: &negotiated, Ordered: &ordered, ID: &id, MaxPacketLifeTime: &most})
}

// sendStill sends a chunk, or says that too much waits.
func (p *Peer) sendStill(chunk []byte) bool {
	return p.stillChannel.ReadyState() == webrtc.DataChannelStateOpen && p.stillChannel.BufferedAmount() < maxStillBuffer &&
		p.stillChannel.Send(chunk) == nil
}
