package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/internal/load"
)

// record measures sessions of one publisher and one receiver, recorded and not.
func (o options) record(ctx context.Context) error {
	fmt.Println("sessions  core used to forward, to record (percent)  MB to forward, to record  sessions/core  frames   lost  MB on disk")
	for _, n := range o.Sessions {
		plain, err := o.session(ctx, n, false)
		if err != nil {
			return err
		}
		recorded, err := o.session(ctx, n, true)
		if err != nil {
			return err
		}
		fmt.Printf("%8d %27.2f %13.2f %17.1f %10.1f %14.1f %7d %6d %11.1f\n", n, 100*plain.cpu, 100*recorded.cpu, plain.memory/1e6, recorded.memory/1e6,
			1/recorded.cpu, recorded.frames, recorded.lost, float64(recorded.bytes)/1e6)
	}
	return nil
}

// cost is what one session costs.
type cost struct {
	cpu, memory  float64 // seconds of a core each second, bytes
	frames, lost int     // of all sessions
	bytes        int64
}

func (o options) session(ctx context.Context, rooms int, recorded bool) (c cost, err error) {
	var args []string
	if !recorded {
		config, err := os.CreateTemp("", "relay-bench-*.yaml")
		if err != nil {
			return c, err
		}
		defer os.Remove(config.Name())
		if _, err := config.WriteString("rooms:\n  - match: \"*\"\n    record: false\n"); err != nil {
			return c, err
		}
		_ = config.Close()
		args = []string{"--config", config.Name()}
	}
	relay, err := o.start(ctx, args...)
	if err != nil {
		return c, err
	}
	defer os.RemoveAll(relay.data)
	empty, err := read(relay.url)
	if err != nil {
		relay.stop()
		return c, err
	}
	var from, to figures
	var wall time.Duration
	began := time.Now()
	_, err = load.Run(ctx, load.Config{URL: relay.url, Token: relay.token, Rooms: rooms, Subs: 1, For: o.For, Bits: o.Bits}, func(begins bool) {
		if begins {
			began = time.Now()
			from, err = read(relay.url)
		} else {
			to, err = read(relay.url)
			wall = time.Since(began)
		}
	})
	relay.stop()
	if err != nil {
		return c, err
	}
	c.cpu = (to.cpu - from.cpu) / wall.Seconds() / float64(rooms)
	c.memory = (to.memory - empty.memory) / float64(rooms)
	if recorded {
		err = c.count(relay.data, rooms)
	}
	return c, err
}

// count proves the cases, and counts the frames that are and those that are not in them: the publisher sends 30 a second.
func (c *cost) count(data string, rooms int) error {
	key, err := os.ReadFile(filepath.Join(data, "seal", "key.pub"))
	if err != nil {
		return err
	}
	dirs, err := filepath.Glob(filepath.Join(data, "recordings", "*", "*"))
	if err != nil || len(dirs) != rooms {
		return fmt.Errorf("%d cases of %d rooms: %w", len(dirs), rooms, err)
	}
	for _, dir := range dirs {
		report, err := evidence.Verify(dir, evidence.VerifyConfig{Key: string(key)})
		if err != nil || !report.Proven {
			return fmt.Errorf("a case is not proven: %+v %w", report, err)
		}
		c.frames, c.bytes = c.frames+report.Frames, c.bytes+report.Bytes
		if err := c.gaps(dir); err != nil {
			return err
		}
	}
	return nil
}

func (c *cost) gaps(dir string) error {
	in, err := evidence.Open(dir, nil)
	if err != nil {
		return err
	}
	defer in.Close()
	for _, t := range in.Manifest.Tracks {
		frames, err := in.Frames(t.Track)
		if err != nil {
			return err
		}
		if n := len(frames); n > 1 {
			expected := int((frames[n-1].Captured-frames[0].Captured)*30/1_000_000) + 1
			c.lost += max(expected-n-1, 0) // the clock of the publisher's ticks is not exact
		}
	}
	return nil
}
