package tape

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"sightline/devices"
	"sightline/relay/wire"
	"sightline/vision"
)

// Words are what somebody said or wrote: a line of the chat, a caption.
type Words struct {
	At         int64
	Kind       string // of the message: "chat" …
	From, Name string // the participant, and how it is called
	Text       string
}

// Stay is a participant's time in the room. To is the end of the tape where it did not leave.
type Stay struct {
	wire.Participant
	From, To int64
}

// take takes one message of the log apart. What it does not know, or cannot read, is passed over: the case
// has it all the same.
func (t *Tape) take(e wire.Envelope) error {
	switch e.Kind {
	case wire.KindMark, wire.KindAnchor:
		t.edits = append(t.edits, e)
	case wire.KindSnapshot:
		t.shots = append(t.shots, e)
	case wire.KindPose:
		if m, ok := read[vision.PoseMessage](e); ok && e.Captured != 0 {
			t.pose(e.From).put(e.Captured, m)
		}
	case wire.KindTag:
		if r, ok := read[devices.Reading](e); ok {
			t.serie(r.Machine, r.Tag).put(e.Time, r)
		}
	case wire.KindAlarm:
		if a, ok := read[devices.Alarm](e); ok {
			t.serie(a.Machine, a.Tag).alarm(e.Time, a)
		}
	case wire.KindMachine:
		if m, ok := read[devices.Machine](e); ok {
			m.Name = e.ID
			t.births[e.ID] = append(t.births[e.ID], birth{e.Time, m})
			t.heard(e.ID)
		}
	case wire.KindParticipant:
		if p, ok := read[wire.Participant](e); ok {
			t.meet(e, p)
		}
	default:
		t.words(e)
	}
	return nil
}

func read[T any](e wire.Envelope) (v T, ok bool) { return v, json.Unmarshal(e.Body, &v) == nil }

// words takes what has a text for people: chat, captions, what was read off a plate.
func (t *Tape) words(e wire.Envelope) {
	if e.From == "relay" && e.Kind != wire.KindChat {
		return // what the relay says of the recording is in the chain
	}
	if c, ok := read[wire.Chat](e); ok && strings.TrimSpace(c.Text) != "" {
		t.Words = append(t.Words, Words{At: e.Time, Kind: e.Kind, From: e.From, Text: strings.TrimSpace(c.Text)})
	}
}

// meet takes that somebody came or went.
func (t *Tape) meet(e wire.Envelope, p wire.Participant) {
	p.ID = e.ID
	t.people[e.ID] = p
	i := slices.IndexFunc(t.Stays, func(s Stay) bool { return s.ID == e.ID && s.To == t.End })
	switch {
	case p.Online && i < 0:
		t.Stays = append(t.Stays, Stay{p, max(e.Time, t.Start), t.End})
	case p.Online:
		t.Stays[i].Name = p.Name
	case i >= 0:
		t.Stays[i].To, t.Stays[i].Reason = e.Time, p.Reason
	}
}

// Said returns the last two things that were said at or before an instant, the oldest first.
func (t *Tape) Said(session int64) []Words {
	n, _ := slices.BinarySearchFunc(t.Words, session+1, func(w Words, v int64) int { return cmp.Compare(w.At, v) })
	return t.Words[max(0, n-2):n]
}

// name writes people's names beside their IDs, once all are known.
func (t *Tape) name() {
	for i := range t.Words {
		t.Words[i].Name = t.Person(t.Words[i].From)
	}
	slices.SortStableFunc(t.Stays, func(a, b Stay) int {
		return cmp.Or(cmp.Compare(order(a.Role), order(b.Role)), cmp.Compare(a.From, b.From))
	})
}

// heard keeps the names of machines in order.
func (t *Tape) heard(machine string) {
	if i, found := slices.BinarySearch(t.machines, machine); !found {
		t.machines = slices.Insert(t.machines, i, machine)
	}
}
