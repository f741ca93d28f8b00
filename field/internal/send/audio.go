package send

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"sightline/devices/media"
	"sightline/relay/client"
)

// AudioTrack is where packets of sound go (relay/client's LocalTrack).
type AudioTrack interface {
	SetLevel(level uint8)
	WriteOpus(packet []byte, captured int64, duration time.Duration) error
}

// packetTime is how long a media.Packet lasts.
const packetTime = 20 * time.Millisecond

// Audio sends sound until the source or ctx ends, and closes the source. A microphone that breaks is
// told to the log; the session goes on without.
func Audio(ctx context.Context, source media.AudioSource, track AudioTrack, log *slog.Logger) {
	defer source.Close()
	for {
		p, err := source.Read(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, io.EOF):
			return
		case err != nil:
			log.Warn("no more sound is sent", "err", err)
			return
		}
		track.SetLevel(p.Level)
		err = track.WriteOpus(p.Opus, p.Captured, packetTime)
		if err != nil && !errors.Is(err, client.ErrOffline) && !errors.Is(err, client.ErrClosed) {
			log.Warn("a packet of sound was not sent", "err", err)
		}
	}
}
