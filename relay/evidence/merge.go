package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"sightline/relay/wire"
)

// Unlock returns what decrypts the case at a path; vault.Unlock with somebody's identity does.
type Unlock func(path string) (Decrypt, error)

// OpenMerged opens a case together with others of the same session: those of second recorders, or those of the relay
// before and after a crash. The result reads as one case. What the first case lacks is filled in from the others, as
// tracks of their own whose Recorder says where each of their frames comes from; the manifest's first tracks, without
// Recorder, are the case's own. Where a fill begins at a frame that a decoder cannot begin with, it begins at the key
// frame before, and the case's own track leaves those frames out, so that each frame is there once. Frames are placed
// by the clock of the first case. A pause for privacy, or a refusal, is no gap and is not filled.
//
// Only Frames, Data and Log see what is filled in; Reader and ReadAt see the first case. unlock may be nil.
func OpenMerged(path string, others []string, unlock Unlock) (*Case, error) {
	c, err := openWith(path, unlock)
	if err != nil {
		return nil, err
	}
	for _, o := range others {
		other, err := openWith(o, unlock)
		if err == nil {
			c.others = append(c.others, other)
			err = sameSession(c, other)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", o, err), c.Close())
		}
	}
	if err := c.merge(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func openWith(path string, unlock Unlock) (*Case, error) {
	var decrypt Decrypt
	about, err := Begin(path)
	if err == nil && about.Encrypted && unlock != nil {
		decrypt, err = unlock(path)
	}
	if err != nil {
		return nil, err
	}
	return Open(path, decrypt)
}

func sameSession(a, b *Case) error {
	x, y := a.Manifest.Case, b.Manifest.Case
	if x.Room != y.Room || x.SessionBegan != y.SessionBegan {
		return fmt.Errorf("case %s is of another session than case %s", y.ID, x.ID)
	}
	return nil
}

// stream is a participant's track over all its files.
type stream struct{ participant, name, kind string }

func streamOf(t Track) stream { return stream{t.Participant, t.TrackName, t.Kind} }

// shot is a frame and the file that it is in.
type shot struct {
	Frame
	from *Case
	file TrackFile
}

// shots are the frames of a case, by stream and time.
func (c *Case) shots() (map[stream][]shot, error) {
	all := map[stream][]shot{}
	for _, t := range c.Manifest.Tracks {
		if c.size(t.File) == 0 {
			continue // nothing of it was written
		}
		frames, err := c.Frames(t.Track)
		if err != nil {
			return nil, err
		}
		s := streamOf(t.Track)
		for _, f := range frames {
			all[s] = append(all[s], shot{f, c, t})
		}
	}
	for _, s := range all {
		slices.SortStableFunc(s, func(a, b shot) int { return cmp.Compare(a.Session, b.Session) })
	}
	return all, nil
}

// fill is a track of a merged case: some frames of a file.
type fill struct {
	from   *Case
	track  Track // as it is called there
	frames []Frame
}

func (c *Case) merge() error {
	mine, err := c.shots()
	if err != nil {
		return err
	}
	for _, o := range c.others {
		theirs, err := o.shots()
		if err != nil {
			return err
		}
		for s, shots := range theirs {
			if c.refused(s.participant) {
				continue
			}
			mine[s] = c.mend(mine[s], shots)
		}
		c.Manifest.To = max(c.Manifest.To, o.Manifest.To)
	}
	c.arrange(mine)
	return c.mergeLog()
}

// refused says whether a participant's last word was not to be recorded.
func (c *Case) refused(participant string) bool {
	no := false
	for _, x := range c.Manifest.Consents {
		if x.Participant == participant {
			no = !x.Given
		}
	}
	return no
}

// private says whether the recording was paused for privacy at an instant.
func (c *Case) private(session int64) bool {
	return slices.ContainsFunc(c.Manifest.Gaps, func(g Gap) bool {
		return g.What == "session" && session >= g.From && session <= g.To
	})
}

// mend returns the frames of a stream with what another recorder has of it besides. Both are sorted.
func (c *Case) mend(mine, theirs []shot) []shot {
	if len(theirs) == 0 {
		return mine
	}
	have := make(map[int64]int64, len(mine)) // captured → session
	keys := map[int64]bool{}
	for _, s := range mine {
		have[s.Captured] = s.Session
		keys[s.Captured] = s.Key
	}
	out := slices.Clone(mine)
	dropped := map[int64]bool{} // what comes from the other instead
	offset, known := int64(0), false
	for i := 0; i < len(theirs); {
		if at, ok := have[theirs[i].Captured]; ok {
			offset, known = at-theirs[i].Captured, true
			i++
			continue
		}
		if !known {
			offset, known = firstOffset(theirs[i:], have)
		}
		from := i
		for from > 0 && !theirs[from].Key && theirs[from-1].file.File == theirs[i].file.File {
			from--
		}
		end := i
		for end < len(theirs) && !keys[theirs[end].Captured] {
			end++
		}
		for _, s := range theirs[from:end] {
			if known {
				s.Session = s.Captured + offset
			}
			if c.private(s.Session) || !theirs[from].Key {
				continue
			}
			dropped[s.Captured] = true
			out = append(out, s)
		}
		i = end
	}
	out = slices.DeleteFunc(out, func(s shot) bool { return s.from != theirs[0].from && dropped[s.Captured] })
	slices.SortStableFunc(out, func(a, b shot) int { return cmp.Compare(a.Session, b.Session) })
	return out
}

// firstOffset relates the publisher's clock to session time by the first frame that both have.
func firstOffset(theirs []shot, have map[int64]int64) (offset int64, known bool) {
	for _, s := range theirs {
		if at, ok := have[s.Captured]; ok {
			return at - s.Captured, true
		}
	}
	return 0, false
}

// arrange makes tracks of the frames: the case's own, then one for each file that others fill in.
func (c *Case) arrange(all map[stream][]shot) {
	c.fills = map[string]*fill{}
	var names []string
	about := map[string]TrackFile{}
	for _, shots := range all {
		for _, s := range shots {
			t := s.file
			if s.from != c {
				t.File += " of " + s.from.Manifest.Case.ID
				t.Recorder = s.from.recorder()
			}
			if c.fills[t.File] == nil {
				c.fills[t.File] = &fill{from: s.from, track: s.file.Track}
				about[t.File] = t
				if s.from != c {
					names = append(names, t.File)
				}
			}
			f := c.fills[t.File]
			f.frames = append(f.frames, s.Frame)
		}
	}
	for i := range c.Manifest.Tracks {
		c.Manifest.Tracks[i].count(c.fills[c.Manifest.Tracks[i].File])
	}
	slices.Sort(names)
	for _, name := range names {
		t := about[name]
		t.count(c.fills[name])
		c.Manifest.Tracks = append(c.Manifest.Tracks, t)
	}
}

// count says what of a file is in the merged case.
func (t *TrackFile) count(f *fill) {
	t.Frames, t.From, t.To = 0, 0, 0
	if f != nil {
		t.Frames, t.From, t.To = len(f.frames), f.frames[0].Session, f.frames[len(f.frames)-1].Session
	}
}

// recorder says who has recorded a case.
func (c *Case) recorder() string {
	if who := c.Manifest.Case.Standby; who != "" {
		return "second recorder of " + who
	}
	return "relay, case " + c.Manifest.Case.ID
}

// mergeLog finds the messages that only others have.
func (c *Case) mergeLog() error {
	have := map[string]bool{}
	err := c.ownLog(func(e wire.Envelope) error { have[messageKey(e)] = true; return nil })
	for _, o := range c.others {
		if err != nil {
			return err
		}
		err = o.ownLog(func(e wire.Envelope) error {
			if !have[messageKey(e)] && !c.private(e.Time) && !c.refused(e.From) {
				have[messageKey(e)] = true
				c.extra = append(c.extra, e)
			}
			return nil
		})
	}
	slices.SortStableFunc(c.extra, func(a, b wire.Envelope) int { return cmp.Compare(a.Time, b.Time) })
	return err
}

// messageKey names a message: its sender has given it a name of its own.
func messageKey(e wire.Envelope) string { return e.From + " " + e.Msg }

// mergedLog calls fn with the messages of the case, and with those of others where their time comes.
func (c *Case) mergedLog(fn func(wire.Envelope) error) error {
	extra := c.extra
	until := func(at int64) error {
		for len(extra) > 0 && extra[0].Time <= at {
			e := extra[0]
			extra = extra[1:]
			if err := fn(e); err != nil {
				return err
			}
		}
		return nil
	}
	err := c.ownLog(func(e wire.Envelope) error {
		if err := until(e.Time); err != nil {
			return err
		}
		return fn(e)
	})
	if err != nil {
		return err
	}
	return until(c.Manifest.To + 1<<40)
}
