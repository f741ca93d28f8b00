// Package app is the field client's command line and what it puts together: camera, encoder, eye, view
// and room, each on its own goroutine, from the join to the end.
package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/alecthomas/kong"

	"sightline/field/internal/calibrate"
	"sightline/field/internal/sheet"
	"sightline/field/internal/standby"
	"sightline/vision/opencv"
)

// commands is the command line: joining a session is what field does where no other command is named.
type commands struct {
	Join       Config            `cmd:"" default:"withargs" help:"Join a session: send the camera, keep the expert's marks on the machine (the default)."`
	Sheet      sheet.Command     `cmd:"" help:"Print a board of tags for a machine, or a chessboard for a lens, as PDF."`
	Recordings standby.Command   `cmd:"" help:"List the second recordings of this device, and give them to the relay."`
	Calibrate  calibrate.Command `cmd:"" help:"Find the lens of a camera from pictures of a printed chessboard."`
}

// Config is the command line of joining a session.
type Config struct {
	Relay  string  `required:"" help:"Where the relay is: http://127.0.0.1:8080, or a join link, which has the token in it."`
	Token  string  `help:"The token, as relay invite prints it."`
	Source string  `required:"" help:"camera:0, file:clip.mp4, seq:DIR, or sim:plant?seed=3&motion=calm&size=640x480"`
	FPS    float64 `name:"fps" help:"Frames per second; 0 is the source's own, 30 where it has none."`
	Loop   bool    `help:"Play a file or a sequence again and again."`
	Lens   string  `type:"existingfile" placeholder:"camera.txt" help:"Lens of the camera, as field calibrate writes it."`
	FOV    float64 `name:"fov" default:"65" help:"Horizontal field of view in degrees, where the source does not know its lens."`
	Audio  string  `default:"mic" help:"mic, file:speech.wav or none."`

	Boards  string `type:"existingfile" placeholder:"boards.json" help:"Boards of tags, as field sheet writes them: they give metres and say which machine this is."`
	Maps    string `type:"path" placeholder:"DIR" help:"Keep the maps of machines here, so that marks are found again at the next visit. No pictures are kept."`
	Machine string `placeholder:"AREA/MACHINE" help:"The machine that the maps are of, where no board says it."`

	Standby       string        `type:"path" placeholder:"DIR" help:"Keep a second recording of what this client sends here, also while the link is gone, and give it to the relay later. Off without it."`
	StandbyMB     int           `name:"standby-megabytes" default:"4000" help:"The most that second recordings may take on this disk; those that the relay has go first, then the oldest."`
	StandbyAge    time.Duration `name:"standby-keep" default:"336h" help:"How long second recordings are kept here; 0 for ever."`
	StandbyUpload int           `name:"standby-upload" default:"1000000" help:"Bits per second at which they are given to the relay while a session runs; 0 for any number."`
	StandbyWait   time.Duration `name:"standby-wait" default:"15s" help:"How long the end of a session waits for the relay to take its recording; what is left goes at the next start."`

	Consent string `default:"ask" enum:"ask,yes,no" help:"What to answer where the room asks whether the technician may be recorded: ask, yes or no."`

	Watch      []string `placeholder:"AREA/MACHINE" help:"Machines whose telemetry is wanted."`
	BitrateMax int      `name:"bitrate-max" default:"6000000" help:"Most bits per second of video."`

	Sizes int `default:"3" help:"Sizes of the picture that are sent where somebody takes them: 1 the whole picture alone, 2 half as wide too, 3 and a quarter."`

	Headless     bool          `help:"No window."`
	Compose      string        `type:"path" placeholder:"OUT.mp4" help:"Write the technician's view here."`
	Trace        string        `type:"path" placeholder:"OUT.jsonl" help:"Write what was done here, a line for each frame."`
	Screenshot   string        `type:"path" placeholder:"OUT.png" help:"Write the technician's view here once."`
	ScreenshotAt float64       `default:"5" help:"Seconds after the first picture; at the end where that comes before."`
	For          time.Duration `help:"Stop after so long; 0 runs until interrupted or the source ends."`
	Verbose      bool          `short:"v" help:"Log more."`
}

// Run runs the command line and returns the exit code: 0 where the source came to its end, the time was
// up or ctx ended; 1 where something broke, with the reason on stderr; 2 where the command line is wrong.
// open is nil where this program cannot have a window: it then becomes the one that can. With a window it
// must be called on the main goroutine.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer, open Opener) int {
	var c commands
	code := -1
	parser, err := kong.New(&c, kong.Name("field"), kong.Description("Sightline's client for the technician: sends the camera, keeps the expert's marks on the machine."),
		kong.Writers(stdout, stderr), kong.Exit(func(n int) { code = n }))
	if err != nil {
		fmt.Fprintln(stderr, "field:", err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if code >= 0 { // help was asked for
		return code
	}
	if err == nil && parsed.Command() == "join" {
		err = c.Join.check()
	}
	if err != nil {
		fmt.Fprintln(stderr, "field:", err)
		return 2
	}
	switch parsed.Command() {
	case "sheet":
		err = c.Sheet.Do(stdout, opencv.TagCells, time.Now())
	case "recordings":
		err = c.Recordings.Do(ctx, stdout, slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	case "calibrate":
		err = c.Calibrate.Do(ctx, stdout, slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	default:
		err = c.Join.start(ctx, args, stderr, open)
	}
	if err != nil {
		fmt.Fprintln(stderr, "field:", err)
		return 1
	}
	return 0
}

// start joins, as the program that can have a window where one is wanted.
func (c Config) start(ctx context.Context, args []string, stderr io.Writer, open Opener) error {
	if !c.Headless && open == nil {
		return becomeWindow(args)
	}
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	return c.run(ctx, slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})), open)
}
