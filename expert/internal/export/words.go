package export

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"sightline/expert/internal/compose"
	"sightline/expert/internal/tape"
)

// captions writes what was said as WebVTT.
func (e *exporter) captions(to io.Writer) error {
	w := bufio.NewWriter(to)
	t := e.cfg.Tape
	fmt.Fprintf(w, "WEBVTT - %s\n", cueText("Sightline, room "+t.About.Room))
	for i, words := range t.Words {
		at := max(0, words.At-t.Start)
		fmt.Fprintf(w, "\n%d\n%s --> %s\n<v %s>%s\n", i+1, clock(at), clock(at+compose.Stands(words.Text)), voice(words.Name), cueText(words.Text))
	}
	return w.Flush()
}

// chapters writes what happened as WebVTT chapters, each until the next.
func (e *exporter) chapters(to io.Writer) error {
	w := bufio.NewWriter(to)
	t := e.cfg.Tape
	fmt.Fprintf(w, "WEBVTT\n")
	type chapter struct {
		at   int64
		text string
	}
	all := []chapter{{0, "Beginning"}}
	for _, m := range t.Moments {
		at := max(0, m.At-t.Start)
		text := chapterText(m)
		switch last := &all[len(all)-1]; {
		case m.Kind == tape.Spoken:
		case at-last.at < 1_000_000 && (at > 0 || len(all) > 1 || m.Kind == tape.Came):
			if !strings.Contains(last.text, text) {
				last.text += "; " + text
			}
		default:
			all = append(all, chapter{at, text})
		}
	}
	for i, c := range all {
		end := t.End - t.Start
		if i+1 < len(all) {
			end = all[i+1].at
		}
		fmt.Fprintf(w, "\n%d\n%s --> %s\n%s\n", i+1, clock(c.at), clock(max(end, c.at+1000)), cueText(c.text))
	}
	return w.Flush()
}

func chapterText(m tape.Moment) string {
	switch m.Kind {
	case tape.Marked, tape.Pictured:
		return m.Who + ": " + m.Text
	case tape.Came, tape.Went:
		return m.Who + " " + m.Text
	case tape.Alarmed:
		return "Alarm: " + m.Text
	case tape.Missing:
		return "Not recorded: " + m.Text
	case tape.Filled:
		return "Filled in: " + m.Text
	}
	return m.Text
}

// clock is a time as WebVTT has it.
func clock(us int64) string {
	ms := us / 1000
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}

// cueText makes words of any kind the text of a cue: markup is escaped, and lines are joined, for a blank line
// and an arrow would end it.
func cueText(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

func voice(s string) string {
	return strings.NewReplacer("&amp;", "and", "&lt;", "", "&gt;", "").Replace(cueText(s))
}
