// Package app is the expert's command line: it joins a call, puts it on a desk, and shows that in a
// window or, headless, nowhere; it opens and exports recorded cases.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"sightline/annotate/typeset"
	"sightline/expert/internal/call"
	"sightline/expert/internal/script"
	"sightline/expert/internal/trace"
	"sightline/relay/client"
)

// commands is the command line: joining a call is what expert does where no other command is named.
type commands struct {
	Join   options       `cmd:"" default:"withargs" help:"Join a call: see what the technician sees, and draw on it (the default)."`
	Open   openCommand   `cmd:"" help:"Open a recorded case instead of a call: play it, search it, see what was drawn and measured."`
	Export exportCommand `cmd:"" help:"Make of a recorded case a film, captions, tables and a report."`
}

// options are the command line of joining a call.
type options struct {
	Link      string        `arg:"" optional:"" help:"Join link, as \"relay invite\" prints it."`
	Relay     string        `placeholder:"URL" help:"Where the relay is, in place of a link."`
	Token     string        `help:"Token that lets into a room, with --relay."`
	Instance  string        `help:"Secret by which the relay knows this client again after a restart."`
	Headless  bool          `help:"Do everything without a window."`
	Script    string        `type:"path" placeholder:"FILE" help:"Carry out a script; see \"expert --script-help\"."`
	ScriptDoc bool          `name:"script-help" help:"Explain the language of scripts."`
	Trace     string        `type:"path" placeholder:"FILE" help:"Write what happens as JSON lines."`
	Size      string        `default:"1280x800" help:"Width and height of the window in pixels."`
	For       time.Duration `help:"End after so long; 0 runs until closed."`
	Snapshots string        `type:"path" default:"." placeholder:"DIR" help:"Where snapshots go."`
	Consent   string        `default:"ask" enum:"ask,yes,no" help:"What to answer where the room asks whether this expert may be recorded: ask, yes or no."`
	Watch     []string      `placeholder:"AREA/MACHINE" help:"Machines whose telemetry the room is to have."`
	Verbose   bool          `short:"v" help:"Log more."`
}

// Run runs the command line and returns the exit code. The call ends with ctx. open is nil where this
// program cannot have a window: it then becomes the one that can. With a window it must be called on the
// main goroutine.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer, open Window) int {
	var c commands
	code := -1
	parser, err := kong.New(&c, kong.Name("expert"), kong.Description("Sightline's remote expert: see what the technician sees, and draw on it."),
		kong.Writers(stdout, stderr), kong.Exit(func(n int) { code = n }))
	if err != nil {
		fmt.Fprintln(stderr, "expert:", err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if code >= 0 { // help was asked for
		return code
	}
	if err != nil {
		fmt.Fprintln(stderr, "expert:", err)
		return 2
	}
	switch command, _, _ := strings.Cut(parsed.Command(), " "); command {
	case "open":
		err = c.Open.run(ctx, args, stdout, open)
	case "export":
		err = c.Export.run(ctx, stdout, stderr)
	default:
		return c.Join.join(ctx, args, stdout, stderr, open)
	}
	if err != nil {
		fmt.Fprintln(stderr, "expert:", err)
		return 1
	}
	return 0
}

// join joins a call and returns the exit code.
func (o *options) join(ctx context.Context, args []string, stdout, stderr io.Writer, open Window) int {
	if o.ScriptDoc {
		fmt.Fprint(stdout, script.Help)
		return 0
	}
	s, err := o.setup()
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "expert:", err)
		return 2
	case !o.Headless && open == nil:
		fmt.Fprintln(stderr, "expert:", becomeWindow(args))
		return 1
	}
	if err := o.run(ctx, s, stdout, stderr, open); err != nil {
		fmt.Fprintln(stderr, "expert:", err)
		return 1
	}
	return 0
}

// setup is what the options come to.
type setup struct {
	url, token    string
	width, height int
	commands      []script.Command
}

func (o *options) setup() (s setup, err error) {
	s.url, s.token = o.Relay, o.Token
	if o.Link != "" {
		if s.url, s.token, err = client.ParseLink(o.Link); err != nil {
			return s, err
		}
	}
	if s.url == "" || s.token == "" {
		return s, errors.New("where to? Give a join link, or --relay and --token; \"relay invite ROOM --role expert\" prints one")
	}
	if s.width, s.height, err = parseSize(o.Size); err != nil {
		return s, err
	}
	if o.Script == "" {
		return s, nil
	}
	f, err := os.Open(o.Script)
	if err != nil {
		return s, fmt.Errorf("--script: %w", err)
	}
	defer f.Close()
	if s.commands, err = script.Parse(f); err != nil {
		return s, fmt.Errorf("script %s: %w", o.Script, err)
	}
	return s, nil
}

// parseSize reads the size of a window.
func parseSize(size string) (width, height int, err error) {
	var rest string
	if n, _ := fmt.Sscanf(size+" ", "%dx%d%s", &width, &height, &rest); n != 2 || width < 320 || height < 240 || width > 7680 || height > 4320 {
		return 0, 0, fmt.Errorf("--size %s: want WIDTHxHEIGHT, from 320x240 to 7680x4320", size)
	}
	return width, height, nil
}

func (o *options) run(ctx context.Context, s setup, stdout, stderr io.Writer, open Window) (err error) {
	faces, err := typeset.New()
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if o.Verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	var out *trace.Writer
	if o.Trace != "" {
		if out, err = trace.Create(o.Trace); err != nil {
			return err
		}
	}
	tally := newTally(out, time.Now)
	defer func() { err = errors.Join(err, tally.close()) }()
	c, err := call.Dial(ctx, call.Config{URL: s.url, Token: s.token, Instance: o.Instance, Watch: o.Watch, Logger: log, Now: time.Now,
		OnAnchor: tally.anchor, OnState: tally.link})
	if err != nil {
		return fmt.Errorf("join %s: %w", s.url, err)
	}
	st := newStage(c, tally, faces, s.width, s.height, o.Snapshots)
	st.consent = o.Consent
	defer func() {
		st.close()
		sum := c.Stats()
		c.Close()
		tally.end(sum)
	}()
	return o.show(ctx, st, s, stdout, open)
}

// show plays the script, if there is one, on a stage in a window or in none, until the end of one of them.
func (o *options) show(ctx context.Context, st *stage, s setup, stdout io.Writer, open Window) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.For > 0 {
		ctx, cancel = context.WithTimeout(ctx, o.For)
		defer cancel()
	}
	var played error
	if s.commands != nil {
		st.tasks.Go(func() {
			quit, err := (&player{stage: st, out: stdout}).play(ctx, s.commands)
			played = err
			if quit || err != nil || o.Headless && o.For == 0 {
				cancel()
			}
		})
	}
	var err error
	if o.Headless {
		st.run(ctx)
	} else {
		title := "Sightline"
		if room := st.call.Room().Name; room != "" {
			title += " · " + strings.ToUpper(room[:1]) + room[1:]
		}
		err = open(ctx, title, s.width, s.height, st)
	}
	cancel()
	st.tasks.Wait()
	return errors.Join(err, played)
}
