package script

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sightline/annotate"
	"sightline/vision/geom"
)

// cursor goes through the words of a line.
type cursor struct {
	line  int
	words []word
	at    int
	end   int // column past the line
}

func (c *cursor) fail(column int, format string, args ...any) error {
	return &Error{c.line, column, fmt.Sprintf(format, args...)}
}

// next returns the next word; what names it where it is missing.
func (c *cursor) next(what string) (word, error) {
	if c.at == len(c.words) {
		return word{}, c.fail(c.end, "%s is missing", what)
	}
	c.at++
	return c.words[c.at-1], nil
}

func (c *cursor) more() bool { return c.at < len(c.words) }

// done fails where words are left over.
func (c *cursor) done() error {
	if c.more() {
		w := c.words[c.at]
		return c.fail(w.column, "%q is too much here", w.text)
	}
	return nil
}

// longest is the longest time that a script may name.
const longest = 24 * time.Hour

func (c *cursor) duration(what string) (time.Duration, error) {
	w, err := c.next(what)
	if err != nil {
		return 0, err
	}
	return c.durationOf(w.text, w.column)
}

func (c *cursor) durationOf(text string, column int) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > longest {
		return 0, c.fail(column, "%q is not a time such as 400ms or 2s", text)
	}
	return d, nil
}

// waitFor is how long a wait lasts that does not say.
const waitFor = 30 * time.Second

func parse(c *cursor) (Command, error) {
	verb, _ := c.next("command")
	cmd := Command{Line: c.line, Verb: verb.text}
	var err error
	switch verb.text {
	case "wait":
		err = c.wait(&cmd)
	case "sleep":
		cmd.Sleep, err = c.duration("time")
	case "mark":
		err = c.mark(&cmd)
	case "delete":
		var w word
		if w, err = c.next("last"); err == nil && w.text != "last" {
			err = c.fail(w.column, "delete knows only last, not %q", w.text)
		}
	case "screenshot", "snapshot":
		cmd.Path, err = c.string("file name", 4096)
	case "say", "pause":
		cmd.Text, err = c.string("text", 2000)
	case "undo", "clear", "freeze", "unfreeze", "resume", "report", "quit":
	default:
		err = c.fail(verb.column, "there is no command %q", verb.text)
	}
	if err != nil {
		return Command{}, err
	}
	return cmd, c.done()
}

func (c *cursor) string(what string, limit int) (string, error) {
	w, err := c.next(what)
	if err != nil {
		return "", err
	}
	if w.text == "" || len(w.text) > limit || !utf8.ValidString(w.text) {
		return "", c.fail(w.column, "%s must be 1 to %d bytes of UTF-8", what, limit)
	}
	return w.text, nil
}

func (c *cursor) wait(cmd *Command) error {
	w, err := c.next("what to wait for")
	if err != nil {
		return err
	}
	cmd.What, cmd.Timeout = w.text, waitFor
	switch w.text {
	case "video", "tracking", "lost":
	case "placed", "marks":
		n, err := c.next("number")
		if err != nil {
			return err
		}
		if cmd.Count, err = strconv.Atoi(n.text); err != nil || cmd.Count < 0 || cmd.Count > 100_000 {
			return c.fail(n.column, "%q is not a number of marks", n.text)
		}
	case "tag":
		if cmd.Machine, err = c.string("machine", 200); err == nil {
			cmd.Tag, err = c.string("tag", 200)
		}
		if err != nil {
			return err
		}
	default:
		return c.fail(w.column, "wait knows video, tracking, placed, marks, tag and lost, not %q", w.text)
	}
	if c.more() {
		cmd.Timeout, err = c.duration("timeout")
	}
	return err
}

// tools is how many points each tool takes.
var tools = map[string][2]int{"arrow": {1, 2}, "circle": {1, 2}, "stroke": {2, annotate.MaxPoints}, "measure": {2, 2}, "text": {1, 1}, "pin": {1, 1}, "gesture": {1, 1}}

var actions = map[string]bool{"point": true, "press": true, "turn-left": true, "turn-right": true, "pull": true, "stop": true}

func (c *cursor) mark(cmd *Command) error {
	w, err := c.next("tool")
	if err != nil {
		return err
	}
	tool, detail, has := strings.Cut(w.text, ":")
	want, ok := tools[tool]
	switch {
	case !ok:
		return c.fail(w.column, "there is no tool %q", w.text)
	case tool == "gesture" && !actions[detail]:
		return c.fail(w.column, "there is no gesture %q", detail)
	case tool == "pin" && detail == "":
		return c.fail(w.column, "a pin names its machine: pin:AREA/MACHINE")
	case tool != "gesture" && tool != "pin" && has:
		return c.fail(w.column, "%s takes nothing after a colon", tool)
	}
	cmd.Tool = tool
	if tool == "gesture" {
		cmd.Tool = w.text
	} else {
		cmd.Machine = detail
	}
	for c.more() {
		w, _ := c.next("")
		if err := c.detail(cmd, w); err != nil {
			return err
		}
	}
	if n := len(cmd.Points); n < want[0] || n > want[1] {
		return c.fail(c.end, "%s has %d points, want %d to %d", tool, n, want[0], want[1])
	}
	if tool == "text" && cmd.Text == "" {
		return c.fail(c.end, `a text says something: text="…"`)
	}
	return nil
}

// detail reads a point or one of colour=, text=, delay=.
func (c *cursor) detail(cmd *Command, w word) error {
	name, value, has := strings.Cut(w.text, "=")
	switch {
	case has && name == "colour":
		if _, err := strconv.ParseUint(strings.TrimPrefix(value, "#"), 16, 32); err != nil || len(value) != 7 || value[0] != '#' {
			return c.fail(w.column, "%q is not a colour such as #ffb72b", value)
		}
		cmd.Colour = value
	case has && name == "text":
		if len(value) > 500 || !utf8.ValidString(value) {
			return c.fail(w.column, "a mark's text has at most 500 bytes of UTF-8")
		}
		cmd.Text = value
	case has && name == "delay":
		d, err := c.durationOf(value, w.column)
		cmd.Delay = d
		return err
	default:
		p, ok := point(w.text)
		if !ok {
			return c.fail(w.column, "%q is not a point such as 0.5,0.25, from 0 to 1", w.text)
		}
		cmd.Points = append(cmd.Points, p)
	}
	return nil
}

func point(text string) (geom.Vec2, bool) {
	xs, ys, ok := strings.Cut(text, ",")
	x, err1 := strconv.ParseFloat(xs, 64)
	y, err2 := strconv.ParseFloat(ys, 64)
	if !ok || err1 != nil || err2 != nil || math.IsNaN(x+y) || x < 0 || x > 1 || y < 0 || y > 1 {
		return geom.Vec2{}, false
	}
	return geom.Vec2{x, y}, true
}
