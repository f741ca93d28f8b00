package standby

import (
	"bytes"
	"errors"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/movie"
	"sightline/relay/wire"
)

// track is one track of the case.
type track struct {
	case_   *running
	name    string
	kind    string
	codec   string
	file    *movie.Movie
	waiting bool // for a key frame
	lost    int64
}

// Video takes an access unit that was encoded, in Annex B, whether it could be sent or not.
func (r *Recorder) Video(name string, annexB []byte, captured int64) {
	data, key := asSent(annexB)
	r.frame(name, wire.Video, movie.H264, movie.Unit{Data: data, Captured: captured, Key: key})
}

// Audio takes a packet of Opus.
func (r *Recorder) Audio(name string, opus []byte, captured int64) {
	r.frame(name, wire.Audio, movie.Opus, movie.Unit{Data: bytes.Clone(opus), Captured: captured, Key: true})
}

func (r *Recorder) frame(name, kind, codec string, u movie.Unit) {
	r.mu.Lock()
	c := r.open()
	need := false
	if c != nil {
		t := c.tracks[name]
		if t == nil {
			t = &track{case_: c, name: name, kind: kind, codec: codec, waiting: true}
			c.tracks[name] = t
		}
		now := r.cfg.Now()
		t.write(u, c.sessionOf(u.Captured, now, r.session))
		need = t.waiting
	}
	r.mu.Unlock()
	if need {
		r.cfg.NeedKey()
	}
}

// sessionOf returns the session time at which a frame was captured: the wall clock of this machine is related to it
// by the frame that came quickest.
func (c *running) sessionOf(captured int64, now time.Time, s Session) int64 {
	const jump = 10_000_000 // µs: the wall clock was set
	off := s.SessionTimeOf(now) - captured
	if d := off - c.offset; !c.placed || d < 0 || d > jump {
		c.offset, c.placed = off, true
	}
	return captured + c.offset
}

func (t *track) write(u movie.Unit, session int64) {
	if t.waiting && !u.Key {
		return
	}
	if u.Key && (t.file == nil || t.kind == wire.Video) && !t.fits(u, session) {
		return
	}
	t.waiting = false
	t.check(t.file.Write(u, session), session)
}

// fits sees that there is a file that a key frame goes into.
func (t *track) fits(u movie.Unit, session int64) bool {
	f, err := movie.FormatOf(t.codec, u)
	if err != nil {
		return false
	}
	if t.file != nil && t.file.Format().SameAs(f) {
		return true
	}
	if t.file != nil {
		t.check(t.file.Close(), session)
		t.file = nil
	}
	c := t.case_
	name := c.name(c.who.Name + "-" + t.name)
	about := evidence.Track{File: name + ".mp4", Table: name + ".frames.csv", Participant: c.who.ID, Name: c.who.Name, Role: c.who.Role,
		TrackName: t.name, Kind: t.kind, Codec: t.codec}
	t.file, err = movie.New(c.Writer, about, f, c.about.Start, max(session, c.about.Start))
	t.check(err, session)
	return err == nil
}

// check takes what became of a frame. Where the disk is behind, frames are let go until a key frame comes, and the
// chain says so.
func (t *track) check(err error, session int64) {
	switch {
	case err == nil && t.lost != 0:
		t.case_.Note(evidence.Record{Kind: evidence.KindGap, Gap: &evidence.Gap{What: t.name, From: t.lost, To: session, Who: t.case_.who.ID,
			Why: evidence.ErrBehind.Error()}})
		t.lost = 0
	case errors.Is(err, evidence.ErrBehind):
		t.waiting = true
		if t.lost == 0 {
			t.lost = session
		}
	}
}

// pause ends the last frame.
func (t *track) pause() {
	if t.file != nil && !t.waiting {
		_ = t.file.Pause()
	}
	t.waiting = true
}

// flush gives the frames that are ready to the case.
func (t *track) flush(now int64) {
	if t.file != nil {
		t.check(t.file.Flush(), now)
	}
}

// asSent returns an access unit as it is on its way (RFC 6184 senders leave out delimiters and filler), copied, and
// whether a decoder can begin with it: whether it brings parameter sets.
func asSent(annexB []byte) (data []byte, key bool) {
	for _, unit := range bytes.Split(annexB, []byte{0, 0, 1})[1:] {
		unit = bytes.TrimRight(unit, "\x00")
		if len(unit) == 0 {
			continue
		}
		const parameters, delimiter, filler = 7, 9, 12
		switch unit[0] & 0x1f {
		case delimiter, filler:
			continue
		case parameters:
			key = true
		}
		data = append(append(data, 0, 0, 0, 1), unit...)
	}
	return data, key
}
