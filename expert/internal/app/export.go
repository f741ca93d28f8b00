package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sightline/expert/internal/export"
)

// exportCommand is the command line of export.
type exportCommand struct {
	caseFlags
	Out      string   `required:"" type:"path" placeholder:"DIR" help:"Where the files go. What is finished there is not made again; what was broken off goes on."`
	Unproven bool     `help:"Export a case that is not proven; every page and every picture says so."`
	Camera   string   `placeholder:"NAME" help:"Whose camera the film shows; the technician's where none is named."`
	PIP      bool     `name:"pip" help:"Put the other cameras into the picture."`
	Blur     bool     `name:"blur-faces" help:"Make the faces that are found in the film and the report unrecognisable; some may be missed."`
	Only     []string `placeholder:"FILE" help:"Make these files alone: film.mp4, captions.vtt, chapters.vtt, telemetry.csv, frames.csv, report.pdf."`
}

func (c *exportCommand) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	o, err := c.open(ctx, "export")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	if !o.seal.Proven && !c.Unproven {
		mend := "--unproven exports it all the same, and every page and picture says so"
		if c.Key == "" {
			mend = "give --key, as \"relay seal-key\" prints it; " + mend
		}
		return fmt.Errorf("the case is not proven: %s\n%s", o.seal.Words, mend)
	}
	bar := newBar(stderr)
	res, err := export.Run(ctx, export.Config{Tape: o.tape, Faces: o.faces, Dir: c.Out, Seal: o.seal, Camera: c.Camera, Others: c.PIP, BlurFaces: c.Blur, Only: c.Only,
		Progress: bar.show, Now: time.Now})
	bar.end()
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("broken off; the same command goes on where it was: %w", err)
	}
	if err != nil {
		return err
	}
	for _, name := range res.Made {
		fmt.Fprintln(stdout, filepath.Join(c.Out, name))
	}
	if len(res.Reused) > 0 {
		fmt.Fprintln(stdout, "there already:", strings.Join(res.Reused, ", "))
	}
	if res.Speed.Film > 0 {
		fmt.Fprintln(stdout, res.Speed)
	}
	if c.Blur && res.Speed.Film > 0 {
		fmt.Fprintf(stdout, "faces were found and blurred in %d pictures; look through the film before it is handed over: some may have been missed\n", res.Blurred)
	}
	if res.Damaged > 0 {
		fmt.Fprintf(stdout, "%d pictures of the case do not decode; the film says so where they were\n", res.Damaged)
	}
	return nil
}

// bar shows how far an export is: a bar on a terminal, elsewhere a line for each file.
type bar struct {
	out      io.Writer
	terminal bool
	open     bool // the line is not ended
}

func newBar(out io.Writer) *bar {
	b := &bar{out: out}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		b.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return b
}

const barWidth = 32

func (b *bar) show(file string, done float64, reused bool) {
	switch {
	case reused || !b.terminal && done < 1:
		return
	case !b.terminal:
		fmt.Fprintln(b.out, file, "is made")
		return
	}
	full := int(done * barWidth)
	fmt.Fprintf(b.out, "\r%-14s %s%s %3.0f %%", file, strings.Repeat("█", full), strings.Repeat("░", barWidth-full), 100*done)
	b.open = done < 1
	if !b.open {
		fmt.Fprintln(b.out)
	}
}

// end ends a line that was broken off.
func (b *bar) end() {
	if b.open {
		fmt.Fprintln(b.out)
	}
}
