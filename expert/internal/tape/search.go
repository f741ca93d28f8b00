package tape

import (
	"cmp"
	"slices"
	"strings"

	"sightline/annotate/scene"
)

// Hit is a moment that was searched for.
type Hit struct {
	At   int64
	Kind string // of the moment, or "reading"
	Text string
}

// Reads is the kind of a hit in the machines' readings.
const Reads = "reading"

// mostHits bounds an answer.
const mostHits = 200

// Search finds the moments that have all words of a query, in whatever case: in what was said, drawn and
// raised, by whom, and in the machines' readings, of which a hit is when a value came to be so ("valve open").
func (t *Tape) Search(query string) []Hit {
	words := strings.Fields(strings.ToLower(query))
	if len(words) == 0 {
		return nil
	}
	var out []Hit
	for _, m := range t.Moments {
		text := m.Text
		if m.Who != "" {
			text = m.Who + ": " + m.Text
		}
		if len(left(words, strings.ToLower(text+" "+string(m.Kind)))) == 0 {
			out = append(out, Hit{m.At, string(m.Kind), text})
		}
	}
	for _, name := range t.machines {
		for _, s := range t.tagsOf(name) {
			out = append(out, t.searchSeries(s, words)...)
		}
	}
	slices.SortStableFunc(out, func(a, b Hit) int { return cmp.Compare(a.At, b.At) })
	return out[:min(len(out), mostHits)]
}

// left returns the words that a text does not have.
func left(words []string, text string) []string {
	var out []string
	for _, w := range words {
		if !strings.Contains(text, w) {
			out = append(out, w)
		}
	}
	return out
}

// searchSeries looks for words in a tag's names, and for those that are left over in its values.
func (t *Tape) searchSeries(s *series, words []string) []Hit {
	title := t.MachineTitle(s.machine) + ": " + t.TagTitle(s.machine, s.tag)
	rest := left(words, strings.ToLower(title+" "+s.machine+" "+s.tag+" "+Reads))
	if len(rest) == len(words) {
		return nil
	}
	var out []Hit
	was := false
	for i, r := range s.readings {
		value := strings.TrimSpace(scene.Value(r) + " " + r.Unit + " " + r.Alarm)
		is := len(left(rest, strings.ToLower(value))) == 0
		if is && !was {
			out = append(out, Hit{max(s.at[i], t.Start), Reads, title + " " + value})
		}
		if was = is; len(rest) == 0 || len(out) >= mostHits {
			break
		}
	}
	return out
}
