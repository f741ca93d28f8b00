package longrun

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sightline/devices"
	"sightline/devices/mqtt"
)

// plant is machines of ten tags, each of which counts. All tags of a moment have the same value.
type plant struct {
	out      *mqtt.Publisher
	machines int
	pause    time.Duration
	sent     []int64 // when each value was sent, µs of the wall clock, by the value
}

// tagsEach is the tags of a machine.
const tagsEach = 10

// The value that is alarming: the level of the first machine is high in every second half of 300 values.
const cycle, high = 300, 150

func newPlant(broker string, machines int, rate float64) (*plant, error) {
	out, err := mqtt.NewPublisher(mqtt.PublisherConfig{URL: broker, ClientID: "longrun"})
	return &plant{out: out, machines: machines, pause: time.Duration(float64(time.Second) / rate)}, err
}

func (p *plant) machine(i int) string { return fmt.Sprintf("hall1/unit-%d", i+1) }

// names are all machines, as field --watch takes them.
func (p *plant) names() string {
	var all []string
	for i := range p.machines {
		all = append(all, p.machine(i))
	}
	return strings.Join(all, ",")
}

// run says what the machines are, and what they measure until ctx ends.
func (p *plant) run(ctx context.Context) {
	defer p.out.Close()
	if p.out.WaitConnected(ctx) != nil {
		return
	}
	limit := float64(high)
	for i := range p.machines {
		m := devices.Machine{Name: p.machine(i), Title: fmt.Sprintf("Unit %d", i+1), Marker: -1, Tags: map[string]devices.Tag{}}
		for k := range tagsEach {
			m.Tags[fmt.Sprintf("t%d", k)] = devices.Tag{Title: fmt.Sprintf("Count %d", k), Unit: "1"}
		}
		m.Tags["level"] = devices.Tag{Title: "Level", Unit: "%"}
		if i == 0 {
			m.Tags["level"] = devices.Tag{Title: "Level", Unit: "%", High: &limit}
		}
		delete(m.Tags, "t0")
		_ = p.out.Birth(m) // the table says what is missing
	}
	tick := time.NewTicker(p.pause)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := time.Now()
		p.sent = append(p.sent, now.UnixMicro())
		for i := range p.machines {
			_ = p.out.Value(p.machine(i), "level", float64(n%cycle), now, devices.Good)
			for k := 1; k < tagsEach; k++ {
				_ = p.out.Value(p.machine(i), fmt.Sprintf("t%d", k), float64(n), now, devices.Good)
			}
		}
	}
}
