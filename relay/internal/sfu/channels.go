package sfu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pion/sctp"
	"github.com/pion/webrtc/v4"

	"sightline/relay/wire"
)

// How many bytes may wait on a data channel: beyond, the log waits and what is lossy is let go.
const (
	maxLogBuffer   = 1 << 20
	lowLogBuffer   = maxLogBuffer / 4
	maxLossyBuffer = 64 << 10
)

var (
	// ErrClosed is returned when the peer is closed.
	ErrClosed = errors.New("peer is closed")
	// ErrTooLarge says that a message is larger than the other end takes; what comes after it may be sent.
	ErrTooLarge = errors.New("message is larger than the client takes")
)

func (p *Peer) openChannels() error {
	for _, c := range []struct {
		label    string
		id       uint16
		reliable bool
	}{{wire.ChannelLog, wire.ChannelLogID, true}, {wire.ChannelPose, wire.ChannelPoseID, false},
		{wire.ChannelPointer, wire.ChannelPointerID, false}} {
		negotiated, resends := true, uint16(0)
		init := &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &c.id, Ordered: &c.reliable}
		if !c.reliable {
			init.MaxRetransmits = &resends
		}
		ch, err := p.pc.CreateDataChannel(c.label, init)
		if err != nil {
			return fmt.Errorf("open data channel %s: %w", c.label, err)
		}
		ch.OnMessage(func(m webrtc.DataChannelMessage) { p.cfg.OnMessage(c.label, m.Data) })
		ch.OnClose(func() { p.OnFail(fmt.Errorf("data channel %s was closed", c.label)) })
		if c.reliable {
			p.log = ch
		} else {
			p.lossy[c.label] = ch
		}
	}
	var err error
	if p.stillChannel, err = p.openStills(); err != nil {
		return fmt.Errorf("open data channel %s: %w", wire.ChannelStill, err)
	}
	p.still = p.sendStill
	p.log.OnOpen(p.cfg.OnOpen)
	p.log.SetBufferedAmountLowThreshold(lowLogBuffer)
	p.log.OnBufferedAmountLow(func() {
		select {
		case p.drained <- struct{}{}:
		default:
		}
	})
	return nil
}

// SendLog sends on the log channel and waits while too much waits there. It fails with ErrTooLarge, ErrClosed, or with
// the channel. One goroutine uses it.
func (p *Peer) SendLog(ctx context.Context, data []byte) error {
	for p.log.BufferedAmount() > maxLogBuffer {
		select {
		case <-p.drained:
		case <-ctx.Done():
			return ctx.Err()
		case <-p.stop:
			return ErrClosed
		}
	}
	err := p.log.SendText(string(data))
	if errors.Is(err, sctp.ErrOutboundPacketTooLarge) {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, len(data))
	}
	return err
}

// Echo sends on the log channel at once: the confirmation of a message that was in the log before.
func (p *Peer) Echo(data []byte) { _ = p.log.SendText(string(data)) }

// SendLossy sends on the pose or the pointer channel, and says whether it was let go. It does not block.
func (p *Peer) SendLossy(channel string, data []byte) (sent bool) {
	ch := p.lossy[channel]
	if ch == nil || ch.ReadyState() != webrtc.DataChannelStateOpen || ch.BufferedAmount() > maxLossyBuffer {
		return false
	}
	return ch.SendText(string(data)) == nil
}

// onTrack is called by pion with the first packet of a track.
func (p *Peer) onTrack(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	all := p.pc.GetTransceivers()
	i := slices.IndexFunc(all, func(t *webrtc.RTPTransceiver) bool { return t.Receiver() == receiver })
	if i < 0 {
		return
	}
	p.mu.Lock()
	track, ok := p.names[all[i].Mid()]
	name := cmp.Or(track.Of, track.Name)
	of := sized{names: p.sizes[name], rank: slices.Index(p.sizes[name], track.Name), asked: true}
	p.mu.Unlock()
	if ok {
		p.take(remote, receiver, name, of)
	}
}
