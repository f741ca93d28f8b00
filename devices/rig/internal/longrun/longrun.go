// Package longrun lets two technicians, two experts and fifty tags work together for as long as is asked, and then
// treats the case that the relay recorded as its readers do: proves it, plays it in other people's players, exports
// it, and compares the film with what the field drew, what was sent and what was heard.
package longrun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sightline/devices/rig/internal/program"
)

// Config is the command line.
type Config struct {
	Bin      string        `default:"bin" type:"existingdir" help:"Where the programs are."`
	Out      string        `default:"out/session" help:"Where everything goes; emptied first."`
	For      time.Duration `default:"10m" help:"How long the session is."`
	Source   string        `default:"sim:plant?seed=7&hand=1" help:"What the technician Tom sees."`
	Second   string        `default:"" help:"What the technician Ann sees, such as seq:DIR; nobody where it is empty."`
	FPS      float64       `default:"10" help:"Frames per second of the technicians' cameras."`
	Machines int           `default:"5" help:"Machines of ten tags each."`
	Rate     float64       `default:"10" help:"Values of each tag in a second."`
	Again    bool          `help:"Record nothing: look once more at the session that is in --out."`
	Players  bool          `default:"true" negatable:"" help:"Play it all in ffplay, VLC and Chromium."`
}

// room is the room that everybody meets in.
const room = "session"

// session is one run.
type session struct {
	cfg       Config
	out       io.Writer
	url, mqtt string
	plant     *plant
	probe     *probe
	caseDir   string
}

// Run runs the session and returns what was found. It returns an error where a program could not do its part; what
// was wrong with the result is in the table's Failures.
func Run(ctx context.Context, cfg Config, out io.Writer) (*Table, error) {
	s := &session{cfg: cfg, out: out, plant: &plant{}, probe: &probe{}}
	if err := s.record(ctx); err != nil {
		return nil, err
	}
	t := &Table{}
	for _, step := range []struct {
		name string
		do   func(context.Context, *Table) error
	}{{"verify", s.verify}, {"play", s.players}, {"export", s.export}, {"marks", s.marks}, {"telemetry", s.telemetry}, {"sound", s.sound}, {"words", s.words}} {
		fmt.Fprintln(out, step.name, "…")
		if err := step.do(ctx, t); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return t, nil
}

// truth is what the session itself knows of what it sent.
type truth struct {
	Sent  []int64 `json:"sent"`  // when each value was sent
	Began int64   `json:"began"` // when the probe's first tone began
}

// record plays the session and keeps the truth of it, or takes that of the last one.
func (s *session) record(ctx context.Context) (err error) {
	var t truth
	if s.cfg.Again {
		data, err := os.ReadFile(s.path("truth.json"))
		if err = errors.Join(err, json.Unmarshal(data, &t)); err != nil {
			return fmt.Errorf("there is no session to look at: %w", err)
		}
		s.plant.sent, s.probe.began = t.Sent, t.Began
		s.caseDir, err = s.find()
		return err
	}
	if err := errors.Join(os.RemoveAll(s.cfg.Out), os.MkdirAll(s.cfg.Out, 0o755), s.play(ctx)); err != nil {
		return err
	}
	data, err := json.Marshal(truth{s.plant.sent, s.probe.began})
	if err != nil {
		return err
	}
	return os.WriteFile(s.path("truth.json"), data, 0o644)
}

func (s *session) path(name string) string   { return filepath.Join(s.cfg.Out, name) }
func (s *session) binary(name string) string { return filepath.Join(s.cfg.Bin, name) }

// play runs the session from the relay's start to its end.
func (s *session) play(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.For+3*time.Minute)
	defer cancel()
	relay, err := program.Start(ctx, s.path("relay.log"), nil, s.binary("relay"), "serve", "--listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0", "--data", s.path("data"))
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, relay.End(time.Minute))
		if err == nil {
			s.caseDir, err = s.find()
		}
	}()
	line, err := relay.Line(20 * time.Second)
	if err != nil {
		return err
	}
	for _, word := range strings.Fields(line) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "url":
			s.url = value
		case "mqtt":
			s.mqtt = value
		}
	}
	return s.meet(ctx)
}

// meet brings everybody into the room, and lets them work until the experts are done.
func (s *session) meet(ctx context.Context) (err error) {
	if s.plant, err = newPlant(s.mqtt, s.cfg.Machines, s.cfg.Rate); err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	tasks.Go(func() { s.plant.run(working) })
	defer func() { stop(); tasks.Wait() }()
	tom, err := s.technician(ctx, "Tom", s.cfg.Source, "--watch", s.plant.names(), "--trace", s.path("tom.jsonl"), "--compose", s.path("tom.mp4"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tom.End(time.Minute)) }()
	if err := tom.Says(ctx, "map started", time.Minute); err != nil {
		return err
	}
	if s.cfg.Second != "" {
		ann, err := s.technician(ctx, "Ann", s.cfg.Second)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, ann.End(time.Minute)) }()
	}
	token, err := s.token("field", "Probe")
	if err != nil {
		return err
	}
	tasks.Go(func() {
		select {
		case <-time.After(probeLate):
			s.probe.run(working, s.url, token, s.path("probe.wav"))
		case <-working.Done():
		}
	})
	return s.experts(ctx)
}

// probeLate is how long after the experts the probe comes: they turn to the first camera that there is, which is to
// be a technician's.
const probeLate = 8 * time.Second

func (s *session) token(role, name string) (string, error) {
	out, err := exec.Command(s.binary("relay"), "invite", room, "--role", role, "--name", name, "--data", s.path("data"), "--token-only").Output()
	return strings.TrimSpace(string(out)), err
}

func (s *session) technician(ctx context.Context, name, source string, more ...string) (*program.Program, error) {
	token, err := s.token("field", name)
	if err != nil {
		return nil, err
	}
	args := append([]string{"--relay", s.url, "--token", token, "--source", source, "--fps", fmt.Sprint(s.cfg.FPS), "--loop", "--headless", "--audio", "none"}, more...)
	return program.Start(ctx, s.path(strings.ToLower(name)+".log"), nil, s.binary("field"), args...)
}

// experts lets Eva draw circles, one at a time, and Bob arrows, and both talk, until the time is over.
func (s *session) experts(ctx context.Context) error {
	const turn = 20 * time.Second
	turns := max(1, int((s.cfg.For-10*time.Second)/turn))
	eva, bob := "wait video 60s\nwait tracking 60s\nsleep 2s\n", "wait video 60s\nwait tracking 60s\nsleep 5s\n"
	for i := range turns {
		x, y := 0.30+0.1*float64(i%4), 0.52+0.08*float64(i%3)
		eva += fmt.Sprintf("mark circle %.2f,%.2f %.2f,%.2f colour=%s delay=400ms\nsay \"Look at place %d\"\nsleep 15s\ndelete last\nsleep 4s\n", x, y, x+0.03, y, circle, i+1)
		bob += fmt.Sprintf("mark arrow %.2f,%.2f colour=#3ddc84\nsleep 12s\nsay \"Step %d is done\"\ndelete last\nsleep 7s\n", 0.75-0.1*float64(i%3), 0.3, i+1)
	}
	var procs []*program.Program
	for name, script := range map[string]string{"Eva": eva, "Bob": bob} {
		token, err := s.token("expert", name)
		if err != nil {
			return err
		}
		file := s.path(strings.ToLower(name) + ".script")
		if err := os.WriteFile(file, []byte(script+"quit\n"), 0o644); err != nil {
			return err
		}
		p, err := program.Start(ctx, s.path(strings.ToLower(name)+".log"), nil, s.binary("expert"), "--relay", s.url, "--token", token, "--headless", "--script", file,
			"--trace", s.path(strings.ToLower(name)+".jsonl"))
		if err != nil {
			return err
		}
		procs = append(procs, p)
	}
	var err error
	for _, p := range procs {
		err = errors.Join(err, p.Wait())
	}
	return err
}

// find returns the one case that the relay left.
func (s *session) find() (string, error) {
	cases, err := filepath.Glob(s.path("data/recordings/" + room + "/*"))
	if err == nil && len(cases) != 1 {
		err = fmt.Errorf("the relay left %d cases: %v", len(cases), cases)
	}
	if err != nil {
		return "", err
	}
	return cases[0], nil
}
