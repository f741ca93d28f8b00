// Package script is the language of a scripted expert: one command in a line.
// Help explains it.
package script

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"sightline/vision/geom"
)

// Command is one line of a script.
type Command struct {
	Line int
	// Verb is the first word; What is the word after wait.
	Verb, What string
	Count      int           // wait placed, wait marks
	Machine    string        // wait tag; mark pin:
	Tag        string        // wait tag
	Timeout    time.Duration // of a wait
	Sleep      time.Duration
	Tool       string // arrow, circle, stroke, measure, text, gesture:ACTION, pin
	Points     []geom.Vec2
	Colour     string
	Text       string // mark, say, pause
	Delay      time.Duration
	Path       string
}

// Error is a mistake in a script, at a line and a column that count from 1.
type Error struct {
	Line, Column int
	Text         string
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)
}

// Bounds of a script.
const (
	maxLines = 10_000
	maxLine  = 64 << 10
)

// Parse reads a script. A mistake is an *Error.
func Parse(r io.Reader) ([]Command, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 4096), maxLine)
	var out []Command
	n := 0
	for lines.Scan() {
		if n++; n > maxLines {
			return nil, &Error{n, 1, fmt.Sprintf("a script has at most %d lines", maxLines)}
		}
		words, err := split(lines.Text(), n)
		if err != nil {
			return nil, err
		}
		if len(words) == 0 {
			continue
		}
		c, err := parse(&cursor{line: n, words: words, end: len(lines.Text()) + 1})
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if err := lines.Err(); err != nil {
		return nil, &Error{n + 1, 1, err.Error()}
	}
	return out, nil
}

// word is a part of a line; a quoted part keeps its blanks.
type word struct {
	text   string
	column int
}

// split takes a line apart at blanks, outside of quotes, up to a comment.
func split(line string, n int) ([]word, error) {
	var words []word
	for i := 0; i < len(line); {
		switch {
		case line[i] == ' ' || line[i] == '\t' || line[i] == '\r':
			i++
		case line[i] == '#':
			return words, nil
		default:
			text, next, err := take(line, i, n)
			if err != nil {
				return nil, err
			}
			words = append(words, word{text, i + 1})
			i = next
		}
	}
	return words, nil
}

// take reads one word from byte i on: up to a blank, with "…" anywhere in it, where \" is a quote and \\ a
// backslash.
func take(line string, i, n int) (string, int, error) {
	var b strings.Builder
	quoted, opened := false, 0
	for ; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '"':
			quoted, opened = !quoted, i
		case quoted && c == '\\' && i+1 < len(line) && (line[i+1] == '"' || line[i+1] == '\\'):
			i++
			b.WriteByte(line[i])
		case !quoted && (c == ' ' || c == '\t' || c == '\r'):
			return b.String(), i, nil
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", i, &Error{n, opened + 1, "a quote is opened and never closed"}
	}
	return b.String(), i, nil
}

// Help explains the language for people.
const Help = `One command in a line; # begins a comment.

  wait video [timeout]            a picture has come
  wait tracking [timeout]         the field's tracker says that it tracks
  wait placed N [timeout]         N marks have their place in the world
  wait marks N [timeout]          there are N marks, no more and no less
  wait tag MACHINE TAG [timeout]  a reading has come
  wait lost [timeout]             the participant whose picture is shown is gone, or his connection is interrupted
  sleep DURATION
  mark TOOL x,y [x,y ...] [colour=#rrggbb] [text="..."] [delay=DURATION]
  undo | delete last | clear | freeze | unfreeze
  screenshot FILE                 the whole window
  snapshot FILE                   the picture at the frame's own size, with marks
  say "TEXT"
  pause "WHY" | resume            the recording, for everybody
  report                          figures to standard output
  quit

TOOL is arrow, circle, stroke, measure, text, gesture:point|press|turn-left|turn-right|pull|stop or pin:MACHINE.
x and y go from 0 to 1 over the frame on screen: the newest one received, or the frozen one. An arrow is
tip, tail; a circle centre, rim; with one point both get a readable size; a measure the two places. With delay= the mark is sent
that much later and still names the frame that was there before. A wait fails after 30 s where it gives
no timeout.
`
