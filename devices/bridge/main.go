// Bridge stands between machines and the broker. Here it is the simulated plant's: it publishes the
// machines' telemetry over MQTT, and writes what the plant's camera sees as a sequence with ground truth.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"sightline/devices"
	"sightline/devices/mqtt"
	"sightline/devices/sim"
)

type commands struct {
	Plant    plantCommand    `cmd:"" help:"Publish the simulated plant's telemetry to an MQTT broker until interrupted."`
	Sequence sequenceCommand `cmd:"" help:"Write a sequence folder (rgb, depth, poses, camera) of the simulated plant."`
}

func main() {
	var c commands
	ctx := kong.Parse(&c, kong.Name("bridge"), kong.Description("Bridge machines to Sightline."))
	ctx.FatalIfErrorf(ctx.Run())
}

type plantCommand struct {
	MQTT string        `default:"tcp://127.0.0.1:1883" help:"Broker."`
	Rate float64       `default:"5" help:"Values per second and tag."`
	For  time.Duration `help:"Stop after so long; 0 runs until interrupted."`
}

// Run publishes until a signal or the time is up. While the broker is away it goes on trying.
func (c *plantCommand) Run() error {
	if c.Rate <= 0 || c.Rate > 200 {
		return fmt.Errorf("--rate %g: want 0.1 to 200 per second", c.Rate)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if c.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.For)
		defer cancel()
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	p, err := mqtt.NewPublisher(mqtt.PublisherConfig{URL: c.MQTT, ClientID: "sightline-plant", Logger: log})
	if err != nil {
		return err
	}
	defer p.Close()
	machines := sim.Machines()
	for _, m := range machines {
		if err := p.Birth(m); err != nil {
			return err
		}
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / c.Rate))
	defer tick.Stop()
	begun := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			publish(p, machines, now, now.Sub(begun).Seconds())
		}
	}
}

// publish says every tag's value. A broker that is away is the publisher's to report; values that
// could not be sent are gone, as a real machine's are.
func publish(p *mqtt.Publisher, machines []devices.Machine, now time.Time, t float64) {
	for _, m := range machines {
		for tag := range m.Tags {
			var v any
			if n, word := sim.Value(m.Name, tag, t); word != "" {
				v = word
			} else {
				v = n
			}
			_ = p.Value(m.Name, tag, v, now, devices.Good)
		}
	}
}

type sequenceCommand struct {
	Out    string  `required:"" help:"Folder to write."`
	Source string  `default:"sim:plant" help:"sim:plant?seed=3&motion=calm|walk|turns|away|pan|tour|still&path=2&hand=1&lights=1&light=dim&plain=1&noise=3&blur=0&size=640x480"`
	Frames int     `default:"300" help:"How many frames."`
	FPS    float64 `default:"30" help:"Frames per second."`
	JPEG   int     `name:"jpeg" help:"Quality of JPEG, 1 to 100, a quarter of the size and of the time; 0 writes PNG."`
}

// Run renders the frames, with a progress line.
func (c *sequenceCommand) Run() error {
	if c.JPEG < 0 || c.JPEG > 100 {
		return fmt.Errorf("--jpeg %d: want 1 to 100, or 0 for PNG", c.JPEG)
	}
	o, err := sim.ParseOptions(c.Source, c.FPS)
	if err != nil {
		return err
	}
	w, err := sim.NewWorld(o)
	if err != nil {
		return err
	}
	defer fmt.Fprintln(os.Stderr)
	return sim.WriteSequence(w, c.Out, c.Frames, c.JPEG, func(done int) {
		fmt.Fprintf(os.Stderr, "\r%d of %d frames", done, c.Frames)
	})
}
