// Package bench runs Sightline's programs as processes and measures them against the truth. It knows
// the programs only by their command lines and by the files they leave.
package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sightline/devices/rig/internal/program"
)

// Config is the command line.
type Config struct {
	Bin      string        `default:"bin" type:"existingdir" help:"Where the programs are."`
	Out      string        `default:"out" help:"Where to leave pictures, recordings and the report; emptied first."`
	Source   string        `default:"sim:plant?seed=7&hand=1" help:"What the technician's camera sees: sim:plant?..., seq:DIR or file:PATH."`
	FPS      float64       `default:"20" help:"Frames per second of the source; 20 leaves two cores that also draw the windows some air."`
	For      time.Duration `default:"60s" help:"How long to run."`
	Script   string        `type:"existingfile" help:"What the expert does; the default draws one mark of every kind."`
	Headless bool          `help:"Without windows."`
	Loop     bool          `default:"true" negatable:"" help:"Play a file or sequence again and again."`
	Every    int           `default:"5" help:"Compare every so many frames with the truth."`
}

// room is the room that everybody meets in.
const room = "demo"

// session is one run: the processes in the order of their start.
type session struct {
	cfg   Config
	out   io.Writer
	procs []*program.Program
	url   string
	mqtt  string
	env   []string
	// listen and mqttListen are where the relay listens; empty is a free port.
	listen, mqttListen string
	expert             *program.Program
	field              *program.Program
}

// Run starts everything, waits for the expert's script to end, stops everything, and measures. It
// returns an error where a program could not do its part; what was wrong with the result is in the
// report's Failures.
func Run(ctx context.Context, cfg Config, out io.Writer) (*Report, error) {
	if err := os.RemoveAll(cfg.Out); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Out, 0o755); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.For+2*time.Minute)
	defer cancel()
	s := &session{cfg: cfg, out: out}
	begun := time.Now()
	err := s.play(ctx)
	if stopErr := s.stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return nil, err
	}
	return s.measure(time.Since(begun))
}

// play starts the programs, one after the other, and waits for the script's end.
func (s *session) play(ctx context.Context) error {
	for _, step := range []func(context.Context) error{s.startRelay, s.startPlant, s.startDisplay, s.startField, s.startExpert} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return s.progress(ctx)
}

func (s *session) run(ctx context.Context, name string, env []string, binary string, args ...string) (*program.Program, error) {
	p, err := program.Start(ctx, filepath.Join(s.cfg.Out, name+".log"), env, filepath.Join(s.cfg.Bin, binary), args...)
	if err == nil {
		s.procs = append(s.procs, p)
	}
	return p, err
}

// anyPort lets a program choose a free port on loopback, and say which.
const anyPort = "127.0.0.1:0"

func (s *session) data() string { return filepath.Join(s.cfg.Out, "data") }

func (s *session) startRelay(ctx context.Context) error {
	p, err := s.run(ctx, "relay", nil, "relay", "serve", "--listen", cmp.Or(s.listen, anyPort), "--mqtt-listen", cmp.Or(s.mqttListen, anyPort), "--data", s.data())
	if err != nil {
		return err
	}
	line, err := p.Line(20 * time.Second)
	if err != nil {
		return err
	}
	for _, f := range strings.Fields(line) {
		if v, ok := strings.CutPrefix(f, "url="); ok {
			s.url = v
		}
		if v, ok := strings.CutPrefix(f, "mqtt="); ok {
			s.mqtt = v
		}
	}
	if s.url == "" || s.mqtt == "" {
		return fmt.Errorf("relay said %q, want listening url=… mqtt=…", line)
	}
	return nil
}

func (s *session) startPlant(ctx context.Context) error {
	_, err := s.run(ctx, "plant", nil, "bridge", "plant", "--mqtt", s.mqtt)
	return err
}

func (s *session) startDisplay(ctx context.Context) error {
	if s.cfg.Headless {
		return nil
	}
	name, own, err := display(ctx, s.cfg.Out)
	if own != nil {
		s.procs = append(s.procs, own)
	}
	// Software rendering leaves the cores to the programs that are measured when it has one thread.
	s.env = []string{"DISPLAY=" + name, "LP_NUM_THREADS=1"}
	return err
}

// token asks the relay's own command for a token, as an administrator does.
func (s *session) token(ctx context.Context, role, name string) (string, error) {
	p, err := program.Start(ctx, filepath.Join(s.cfg.Out, "invite-"+role+".log"), nil, filepath.Join(s.cfg.Bin, "relay"), "invite", room, "--role", role, "--name", name, "--data", s.data(), "--token-only")
	if err != nil {
		return "", err
	}
	line, err := p.Line(10 * time.Second)
	<-p.Done()
	return strings.TrimSpace(line), err
}

func (s *session) startField(ctx context.Context) error {
	token, err := s.token(ctx, "field", "Tom")
	if err != nil {
		return err
	}
	args := []string{"--relay", s.url, "--token", token, "--source", s.cfg.Source, "--fps", fmt.Sprint(s.cfg.FPS),
		"--watch", "hall1/pump-7", "--watch", "hall1/tank-12", "--standby", s.path("standby"),
		"--compose", s.path("technician.mp4"), "--trace", s.path("field.jsonl"),
		"--screenshot", s.path("field.png"), "--screenshot-at", fmt.Sprint(0.7 * s.cfg.For.Seconds())}
	if s.cfg.Headless {
		args = append(args, "--headless")
	}
	if s.cfg.Loop {
		args = append(args, "--loop")
	}
	s.field, err = s.run(ctx, "field", s.env, "field", args...)
	return err
}

func (s *session) path(name string) string { return filepath.Join(s.cfg.Out, name) }

func (s *session) startExpert(ctx context.Context) error {
	token, err := s.token(ctx, "expert", "Eva")
	if err != nil {
		return err
	}
	script := s.cfg.Script
	if script == "" {
		script = s.path("expert.script")
		if err := os.WriteFile(script, []byte(demoScript(s.cfg.Source, s.cfg.For, s.path("expert.png"))), 0o644); err != nil {
			return err
		}
	}
	args := []string{"--relay", s.url, "--token", token, "--script", script, "--trace", s.path("expert.jsonl"), "--snapshots", s.cfg.Out}
	if s.cfg.Headless {
		args = append(args, "--headless")
	}
	s.expert, err = s.run(ctx, "expert", s.env, "expert", args...)
	return err
}

// progress prints a line a second until the script has ended, or a program did that should not have.
func (s *session) progress(ctx context.Context) error {
	begun := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	defer fmt.Fprintln(s.out)
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("interrupted, or the expert's script did not end: %w", ctx.Err())
		case <-s.expert.Done():
			return nil
		case <-s.field.Done():
			if err := s.field.Wait(); err != nil {
				return fmt.Errorf("ended early: %w", err)
			}
			// A source that has an end may have reached it; the script goes on with what it has.
			select {
			case <-s.expert.Done():
			case <-ctx.Done():
			}
			return nil
		case now := <-tick.C:
			fmt.Fprintf(s.out, "\rrelay, plant, field and expert at work: %2.0f of %.0f s ", now.Sub(begun).Seconds(), s.cfg.For.Seconds())
		}
	}
}

// stop ends the programs in the reverse order of their start.
func (s *session) stop() error {
	var errs []error
	for i := len(s.procs) - 1; i >= 0; i-- {
		errs = append(errs, s.procs[i].End(20*time.Second))
	}
	return errors.Join(errs...)
}

// demoScript is what the expert does in the demo: waits for the picture, draws one mark of every kind,
// each 400 ms after the frame it names, lets them stand, takes pictures, and leaves. In the plant the
// machine's readings hang on its marker by themselves; elsewhere the expert pins them.
func demoScript(source string, length time.Duration, screenshot string) string {
	ready, pin := "wait tracking 40s\nsleep 3s", ""
	if !strings.HasPrefix(source, "sim:") {
		// A camera that stands still never has a map, and needs none: marks hold by picture motion.
		ready, pin = "sleep 4s", "mark pin:hall1/pump-7 0.55,0.30 delay=400ms\nsleep 1s"
	}
	stand := max(5, length.Seconds()-26)
	return fmt.Sprintf(`# The expert of the demo. Points are shares of the frame's width and height.
wait video 20s
%s
%s
mark circle 0.63,0.55 0.70,0.55 delay=400ms
sleep 1s
mark arrow 0.30,0.52 0.42,0.36 delay=400ms
sleep 1s
mark stroke 0.14,0.47 0.17,0.46 0.20,0.46 0.23,0.46 0.26,0.46 0.29,0.47 delay=400ms
sleep 1s
mark gesture:turn-left 0.66,0.16 delay=400ms
sleep 1s
mark text 0.46,0.55 text="Check the coupling 检查联轴器" delay=400ms
sleep 1s
mark gesture:press 0.20,0.58 delay=400ms
sleep 1s
mark circle 0.85,0.52 0.88,0.52 delay=400ms
sleep 1s
mark arrow 0.45,0.20 0.55,0.10 delay=400ms
sleep 1s
undo
sleep 1s
mark circle 0.40,0.66 0.44,0.66 delay=400ms
wait placed 6 15s
wait tag hall1/pump-7 pressure 10s
say "Close V-31 a quarter turn, please. 请关四分之一圈。"
sleep %.0fs
screenshot %s
snapshot %s
quit
`, ready, pin, stand, screenshot, filepath.Join(filepath.Dir(screenshot), "snapshot.png"))
}
