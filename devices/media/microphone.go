package media

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	_ "github.com/pion/mediadevices/pkg/driver/microphone" // registers the machine's microphones
	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"
)

// microphone is the source of mic and mic:NAME.
type microphone struct {
	name    string
	driver  driver.Driver
	reader  audio.Reader
	opus    *opusEncoder
	clock   Clock
	packets chan Packet
	failed  chan error // of capacity 1
	stop    context.Context
	cancel  context.CancelFunc
	wait    sync.WaitGroup
	closing sync.Once
}

// alsaNull is the label that the driver makes of ALSA's device "null", which hears silence.
const alsaNull = "6e756c6c"

// findMicrophone returns the microphone whose name contains that, or the machine's default one.
func findMicrophone(name string) (driver.Driver, error) {
	var found []string
	var best driver.Driver
	for _, d := range driver.GetManager().Query(driver.FilterAudioRecorder()) {
		title := d.Info().Name
		if strings.HasPrefix(title, "NULL ") || d.Info().Label == alsaNull {
			continue // what miniaudio and ALSA offer where there is none
		}
		found = append(found, title)
		if strings.Contains(title, name) && (best == nil || d.Info().Priority > best.Info().Priority) {
			best = d
		}
	}
	if best != nil {
		return best, nil
	}
	if len(found) == 0 {
		return nil, errors.New("no microphone on this machine; plug one in, use a sound file, or go without sound")
	}
	return nil, fmt.Errorf("no microphone %q; found: %s", name, strings.Join(found, ", "))
}

func openMicrophone(name string, opts Options) (AudioSource, error) {
	d, err := findMicrophone(name)
	if err != nil {
		return nil, err
	}
	title := d.Info().Name
	if err := d.Open(); err != nil {
		return nil, fmt.Errorf("microphone %s: %w", title, err)
	}
	mode := prop.Media{Audio: prop.Audio{ChannelCount: 1, SampleRate: audioRate, SampleSize: 2, IsInterleaved: true, Latency: packetTime}}
	mode.DeviceID = d.ID()
	reader, err := d.(driver.AudioRecorder).AudioRecord(mode)
	if err != nil {
		return nil, fmt.Errorf("microphone %s: %w; is another program using it?", title, err)
	}
	opus, err := newOpusEncoder()
	if err != nil {
		d.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &microphone{name: title, driver: d, reader: reader, opus: opus, clock: opts.Clock,
		packets: make(chan Packet, 10), failed: make(chan error, 1), stop: ctx, cancel: cancel}
	m.wait.Go(m.run)
	return m, nil
}

// run cuts what the driver hears into packets. A reader who is late by more than 200 ms loses the oldest.
func (m *microphone) run() {
	var heard []int16
	for m.stop.Err() == nil {
		chunk, release, err := m.reader.Read()
		if err != nil {
			m.failed <- fmt.Errorf("microphone %s: %w; is it still plugged in?", m.name, err)
			return
		}
		now := m.clock.Now()
		if c, ok := chunk.(*wave.Int16Interleaved); ok {
			heard = append(heard, c.Data...)
		}
		release()
		for len(heard) >= packetSamples {
			data, err := m.opus.encode(heard[:packetSamples])
			if err != nil {
				m.failed <- err
				return
			}
			level := levelOf(heard[:packetSamples])
			age := time.Duration(len(heard)) * time.Second / audioRate
			heard = append(heard[:0], heard[packetSamples:]...)
			m.offer(Packet{Opus: data, Captured: now.Add(-age).UnixMicro(), Level: level})
		}
	}
}

func (m *microphone) offer(p Packet) {
	for {
		select {
		case m.packets <- p:
			return
		default:
		}
		select {
		case <-m.packets:
		default:
		}
	}
}

// Read returns the next packet.
func (m *microphone) Read(ctx context.Context) (Packet, error) {
	select {
	case p := <-m.packets:
		return p, nil
	case err := <-m.failed:
		m.failed <- err
		return Packet{}, err
	case <-m.stop.Done():
		return Packet{}, errClosed
	case <-ctx.Done():
		return Packet{}, ctx.Err()
	}
}

// Close stops the microphone and waits for its goroutine. The goroutine leaves with the next sound; only
// where none comes is the driver closed under it, which the driver does not like.
func (m *microphone) Close() error {
	var err error
	m.closing.Do(func() {
		m.cancel()
		gone := make(chan struct{})
		go func() {
			m.wait.Wait()
			close(gone)
		}()
		select {
		case <-gone:
			err = m.driver.Close()
		case <-time.After(500 * time.Millisecond):
			err = m.driver.Close()
			<-gone
		}
		_ = m.opus.close()
	})
	return err
}
