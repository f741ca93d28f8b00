package longrun

import (
	"context"
	"encoding/binary"
	"image"
	"log/slog"
	"math"
	"os"
	"sync"
	"time"

	"sightline/devices/media"
	"sightline/relay/client"
	"sightline/relay/wire"
)

// probe is a participant whose tone begins each second, and whose picture is bright while it sounds: what is heard
// and seen at the same time is at the same time in the case.
type probe struct {
	began int64 // when its first tone began, µs of the wall clock
}

const (
	toneHertz  = 1000
	toneLength = 60 * time.Millisecond
	probeFPS   = 30
)

// tones writes a sound file of ten seconds with a tone at the beginning of each.
func tones(path string) error {
	const rate, seconds = 48000, 10
	data := append([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"), 0x80, 0xbb, 0, 0, 0, 0x77, 1, 0, 2, 0, 16, 0)
	data = binary.LittleEndian.AppendUint32(append(data, "data"...), 2*rate*seconds)
	for i := range rate * seconds {
		v := 0.0
		if i%rate < int(toneLength.Seconds()*rate) {
			v = 12000 * math.Sin(2*math.Pi*toneHertz*float64(i)/rate)
		}
		data = binary.LittleEndian.AppendUint16(data, uint16(int16(v)))
	}
	return os.WriteFile(path, data, 0o644)
}

// run takes part until ctx ends. What does not work is missing in the case, where it is looked for.
func (p *probe) run(ctx context.Context, url, token, wav string) {
	c, err := client.Dial(ctx, client.Config{URL: url, Token: token, Logger: slog.New(slog.DiscardHandler),
		Publish: []client.Track{{Name: "camera", Kind: wire.Video}, {Name: "mic", Kind: wire.Audio}}})
	if err != nil {
		return
	}
	defer c.Close()
	if c.Wait(ctx) != nil || tones(wav) != nil {
		return
	}
	mic, err := media.OpenAudio("file:"+wav, media.Options{Loop: true})
	if err != nil {
		return
	}
	defer mic.Close()
	var camera sync.WaitGroup
	defer camera.Wait()
	for {
		packet, err := mic.Read(ctx)
		if err != nil {
			return
		}
		if p.began == 0 {
			p.began = packet.Captured
			camera.Go(func() { p.flash(ctx, c.Video("camera"), packet.Captured) })
		}
		_ = c.Audio("mic").WriteOpus(packet.Opus, packet.Captured, 20*time.Millisecond) // the case shows what is missing
	}
}

// flash sends dark pictures, and bright ones while the tone sounds.
func (p *probe) flash(ctx context.Context, to *client.LocalTrack, began int64) {
	enc, err := media.NewH264Encoder(media.EncoderConfig{Width: 320, Height: 240, FPS: probeFPS, Whole: true})
	if err != nil {
		return
	}
	defer enc.Close()
	picture := image.NewYCbCr(image.Rect(0, 0, 320, 240), image.YCbCrSubsampleRatio420)
	for i := range picture.Cb {
		picture.Cb[i], picture.Cr[i] = 128, 128
	}
	tick := time.NewTicker(time.Second / probeFPS)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		captured := time.Now().UnixMicro()
		luma := byte(20)
		if bright(captured, began) {
			luma = 230
		}
		for i := range picture.Y {
			picture.Y[i] = luma
		}
		if unit, _, err := enc.Encode(picture); err == nil {
			_ = to.WriteFrame(unit, captured)
		}
	}
}

// bright says whether the probe's picture is bright at a time.
func bright(at, began int64) bool {
	return at >= began && (at-began)%1_000_000 < toneLength.Microseconds()+40_000
}
