package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sightline/devices"
	"sightline/devices/mqtt"
	"sightline/relay/client"
	"sightline/relay/freeport"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

// mosquitto runs Debian's broker on a free port.
func mosquitto(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/mosquitto"); err != nil {
			t.Skip("mosquitto is not installed")
		}
	}
	port := freeport.Get(t, 1)[0]
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "listener %d 127.0.0.1\nallow_anonymous true\n", port), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return fmt.Sprintf("tcp://127.0.0.1:%d", port)
}

// Machines reach the rooms that watch them, over the embedded broker and over the plant's own.
func TestTelemetryReachesTheRoomsThatWatch(t *testing.T) {
	for name, broker := range map[string]func(*testing.T) string{"mochi": nil, "mosquitto": mosquitto} {
		t.Run(name, func(t *testing.T) {
			s := relaytest.Start(t, func(c *server.Config) {
				if broker != nil {
					c.MQTT = broker(t)
				}
			})
			telemetry(t, s)
		})
	}
}

func telemetry(t *testing.T, s *server.Server) {
	const machine = "hall 3.b/pump.7"
	plant, err := mqtt.NewPublisher(mqtt.PublisherConfig{URL: s.MQTT(), Logger: relaytest.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer plant.Close()
	high := 10.0
	if err := plant.Birth(devices.Machine{Name: machine, Title: "Feed pump 7", Marker: 3, SilentAfter: 0.7,
		Tags: map[string]devices.Tag{"pressure": {Unit: "bar", High: &high}, "state": {}}}); err != nil {
		t.Fatal(err)
	}
	if err := plant.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	say := func(tag string, v any) int64 {
		at := time.Now()
		if err := plant.Value(machine, tag, v, at, ""); err != nil {
			t.Fatal(err)
		}
		return at.UnixMicro()
	}
	said := say("pressure", 4.5)
	say("state", "running")

	var replica relaytest.Replica
	ann := relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "expert", "Ann", machine), OnLog: replica.Take})
	reading := func(tag string) devices.Reading {
		var r devices.Reading
		if e, ok := replica.Get(wire.KindTag, machine+"/"+tag); ok {
			if err := json.Unmarshal(e.Body, &r); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}
	relaytest.Eventually(t, "the last value and the birth are there", func() bool {
		r := reading("pressure")
		_, born := replica.Get(wire.KindMachine, machine)
		return born && r.Number != nil && *r.Number == 4.5 && r.Source == said && r.Arrived > 0
	})
	relaytest.Eventually(t, "the silent machine is stale", func() bool { return reading("state").Quality == devices.Stale })
	say("pressure", 11)
	relaytest.Eventually(t, "it is good again, and over its limit", func() bool {
		return reading("pressure").Alarm == "high" && reading("pressure").Quality == devices.Good &&
			reading("pressure").Unit == "bar" && reading("state").Quality == devices.Good
	})
	alarm := func() (a devices.Alarm) {
		if e, ok := replica.Get(wire.KindAlarm, machine+"/pressure"); ok {
			_ = json.Unmarshal(e.Body, &a)
		}
		return a
	}
	relaytest.Eventually(t, "there is an alarm", func() bool { return alarm().Active && alarm().Text != "" })
	say("pressure", 9.5)
	relaytest.Eventually(t, "the alarm is over", func() bool { return alarm().Text != "" && !alarm().Active })

	if _, err := ann.Publish(wire.KindWatch, machine, 0, wire.Watch{On: false}); err != nil {
		t.Fatal(err)
	}
	relaytest.Eventually(t, "nobody watches", func() bool { return ann.Pending() == 0 })
	before := reading("pressure")
	say("pressure", 1)
	if _, err := ann.Publish(wire.KindWatch, "other/machine", 0, wire.Watch{On: true}); err != nil {
		t.Fatal(err)
	}
	relaytest.Eventually(t, "the log went on", func() bool { return ann.Pending() == 0 })
	if after := reading("pressure"); *after.Number != *before.Number {
		t.Errorf("reading changed to %v though nobody watches", *after.Number)
	}
}
