package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"

	"sightline/relay/wire"
)

// presence is when a participant was in the room, by the log: session times, µs.
type presence struct {
	name   string
	online bool
	spans  [][2]int64
}

// How far a track may reach beyond its participant's presence: a participant who drops is noticed, and
// frames are placed by their capture, some seconds off.
const presenceSlack = 15_000_000

// contents compares what the pieces say: tracks with their tables, and both with the log.
func (v *verifier) contents() {
	c := &Case{Manifest: v.manifest, source: v.source, pieces: map[string][]placed{}, open: v.cfg.Decrypt}
	for _, f := range v.manifest.Files {
		for _, p := range v.pieces[f.Name] {
			c.place(p)
		}
	}
	v.compareManifest(c)
	if c.Manifest.Case.Encrypted && c.open == nil {
		v.report.remark("the case is encrypted, and without its key what its tracks and its log say is not compared")
		return
	}
	people, err := v.log(c)
	if err != nil {
		v.report.fault(Disagree, LogFile, "%v", err)
		return
	}
	for _, t := range v.manifest.Tracks {
		v.track(c, t, people)
	}
}

// manifestSlack is how many bytes a manifest may have more than what the chain alone says: when and by whom the case was
// closed.
const manifestSlack = 1 << 10

// compareManifest compares manifest.json with the chain.
func (v *verifier) compareManifest(c *Case) {
	size := c.size(ManifestFile)
	if size == 0 {
		return // not closed, and said so
	}
	want := v.manifest
	for i, f := range want.Files {
		if f.Name == ManifestFile {
			want.Files = append(append([]File{}, want.Files[:i]...), want.Files[i+1:]...)
			break
		}
	}
	a, _ := want.encode()
	if size > int64(len(a)+manifestSlack) {
		v.report.fault(Disagree, ManifestFile, "it has %d bytes; what the chain says is %d", size, len(a))
		return
	}
	data := make([]byte, size)
	var got Manifest
	err := c.ReadAt(ManifestFile, data, 0)
	if err == nil {
		err = json.Unmarshal(data, &got)
	}
	want.EndedUTC, want.ClosedBy = got.EndedUTC, got.ClosedBy
	want.To, want.Jumps = got.To, got.Jumps // the manifest's own piece comes after it
	a, _ = want.encode()
	b, _ := got.encode()
	if err != nil || !bytes.Equal(a, b) || !bytes.Equal(b, data) {
		v.report.fault(Disagree, ManifestFile, "it does not say what the chain does")
	}
	v.manifest.ClosedBy = got.ClosedBy
}

// log reads the room log.
func (v *verifier) log(c *Case) (map[string]*presence, error) {
	people := map[string]*presence{}
	seq, n := uint64(0), 0
	err := c.Log(func(e wire.Envelope) error {
		n++
		v.report.Messages++
		if err := e.Valid(); err != nil {
			return fmt.Errorf("message %d: %w", n, err)
		}
		if e.Seq != 0 && e.Seq <= seq {
			return fmt.Errorf("message %d has place %d in the room's log, and one before it has %d", n, e.Seq, seq)
		}
		seq = max(seq, e.Seq)
		if e.Time > v.at+clockSlack {
			return fmt.Errorf("message %d is of %s, after the end of the case at %s", n, micros(e.Time), micros(v.at))
		}
		if e.Kind == wire.KindParticipant {
			meet(people, e)
		}
		return nil
	})
	for _, p := range people {
		if p.online {
			p.spans[len(p.spans)-1][1] = v.at
		}
	}
	if n != v.items(LogFile) && err == nil {
		err = fmt.Errorf("it has %d messages; %d were sealed", n, v.items(LogFile))
	}
	return people, err
}

// meet notes who comes and goes.
func meet(people map[string]*presence, e wire.Envelope) {
	var who wire.Participant
	if json.Unmarshal(e.Body, &who) != nil {
		return
	}
	p := people[e.ID]
	if p == nil {
		p = &presence{}
		people[e.ID] = p
	}
	p.name = who.Name
	switch {
	case who.Online && !p.online:
		p.spans = append(p.spans, [2]int64{e.Time, e.Time})
	case !who.Online && p.online:
		p.spans[len(p.spans)-1][1] = e.Time
	}
	p.online = who.Online
}

func (v *verifier) items(name string) int {
	for _, f := range v.manifest.Files {
		if f.Name == name {
			return f.Items
		}
	}
	return 0
}

// track compares a track with its table and with the log.
func (v *verifier) track(c *Case, t TrackFile, people map[string]*presence) {
	if c.size(t.File) == 0 {
		return // it was announced, and nothing of it was written
	}
	frames, err := c.Frames(t.Track)
	if err != nil {
		v.report.fault(Disagree, t.Table, "%v", err)
		return
	}
	v.report.Frames += len(frames)
	if err := v.compareTrack(c, t.Track, frames); err != nil {
		v.report.fault(Disagree, t.File, "%v", err)
		return
	}
	p := people[t.Participant]
	switch {
	case p == nil || len(p.spans) == 0:
		v.report.fault(Disagree, t.File, "by the log, %s (%s) was never in the room", t.Name, t.Participant)
		return
	case p.name != t.Name:
		v.report.fault(Disagree, t.File, "by the log, %s is called %q, not %q", t.Participant, p.name, t.Name)
	}
	if v.own != nil {
		return // it records on where the relay sees nobody
	}
	for i, f := range frames {
		if !p.within(f.Session) {
			v.report.fault(Disagree, t.File, "frame %d is of %s; by the log, %s was not in the room then", i, micros(f.Session), t.Name)
			return
		}
	}
}

func (p *presence) within(session int64) bool {
	for _, s := range p.spans {
		if session >= s[0]-presenceSlack && session <= s[1]+presenceSlack {
			return true
		}
	}
	return false
}

// compareTrack compares the samples of a file with its table.
func (v *verifier) compareTrack(c *Case, t Track, frames []Frame) error {
	n, timescale := 0, int64(t.Timescale)
	if timescale <= 0 {
		return fmt.Errorf("a timescale of %d", t.Timescale)
	}
	for _, p := range c.pieces[t.File] {
		data := make([]byte, p.size)
		if err := c.ReadAt(t.File, data, p.at); err != nil {
			return err
		}
		var parts fmp4.Parts
		if err := parts.Unmarshal(data); err != nil {
			return fmt.Errorf("byte %d: %w", p.Offset, err)
		}
		for _, part := range parts {
			for _, track := range part.Tracks {
				at := int64(track.BaseTime)
				for _, s := range track.Samples {
					if n >= len(frames) {
						return fmt.Errorf("it has more than the %d frames of its table", len(frames))
					}
					if err := v.sample(frames[n], n, s, at, timescale); err != nil {
						return err
					}
					at += int64(s.Duration)
					n++
				}
			}
		}
	}
	if n != len(frames) || n != v.items(t.File) {
		return fmt.Errorf("it has %d frames, its table %d, and %d were sealed", n, len(frames), v.items(t.File))
	}
	return nil
}

// sample compares a sample with its row.
func (v *verifier) sample(f Frame, n int, s *fmp4.Sample, at, timescale int64) error {
	session := v.manifest.Case.Start + at*1_000_000/timescale
	switch off := session - f.Session; {
	case off > 1000 || off < -1000:
		return fmt.Errorf("frame %d plays at %s; its table says %s", n, micros(session), micros(f.Session))
	case len(s.Payload) != f.Size:
		return fmt.Errorf("frame %d has %d bytes; its table says %d", n, len(s.Payload), f.Size)
	case s.IsNonSyncSample == f.Key:
		return fmt.Errorf("frame %d is a key frame in one of table and file only", n)
	}
	return nil
}
