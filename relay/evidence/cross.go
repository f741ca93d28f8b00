package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"sightline/relay/wire"
)

// Compared is what the comparison of a case with a second recorder's says of one track.
type Compared struct {
	Case  string `json:"case"` // the second recorder's
	Track string `json:"track"`
	Same  int    `json:"same"` // frames that are in both, byte for byte
	// Outside are the second recorder's frames from before and after the case.
	Outside int `json:"outside"`
	// Here are frames that the case lacks, and There those that the second recorder lacks.
	Here  []Absent `json:"missing_here"`
	There []Absent `json:"missing_there"`
}

// Absent is a run of frames that one recorder has and the other has not.
type Absent struct {
	Frames int   `json:"frames"`
	From   int64 `json:"from"` // session time, µs
	To     int64 `json:"to"`   // session time, µs
}

// Beside returns the second recorders' cases of a case's session that lie beside it: folders and archives.
func Beside(path string) ([]string, error) {
	about, err := Begin(path)
	if err != nil || about.Standby != "" {
		return nil, err
	}
	parent := filepath.Dir(filepath.Clean(path))
	entries, err := os.ReadDir(parent)
	if err != nil {
		return nil, fmt.Errorf("look for second recorders: %w", err)
	}
	var found []string
	for _, e := range entries {
		if !e.IsDir() && filepath.Ext(e.Name()) != ".zip" {
			continue
		}
		other := filepath.Join(parent, e.Name())
		if o, err := Begin(other); err == nil && o.Standby != "" && o.Room == about.Room && o.SessionBegan == about.SessionBegan {
			found = append(found, other)
		}
	}
	return found, nil
}

// VerifySession proves a case and the second recorders' cases of its session, and compares what they have: the same
// frame, by the time of its capture, must be the same in both, and the same message too. The report is the case's; it
// is proven where all of them are, and nothing disagrees. What one has and the other has not is told.
func VerifySession(path string, others []string, cfg VerifyConfig, unlock Unlock) (*Report, error) {
	r, err := verifyWith(path, cfg, unlock)
	if err != nil {
		return nil, err
	}
	for _, o := range others {
		second, err := verifyWith(o, cfg, unlock)
		if err != nil {
			return nil, err
		}
		r.Seconds = append(r.Seconds, second)
		if err := r.compare(path, o, unlock); err != nil {
			r.fault(Unread, second.place(), "it cannot be compared: %v", err)
		}
		r.Proven = r.Proven && second.Proven && len(r.Faults) == 0
	}
	return r, nil
}

func (r *Report) place() string { return "the second recorder's case " + r.Case.ID }

func verifyWith(path string, cfg VerifyConfig, unlock Unlock) (*Report, error) {
	if about, err := Begin(path); err == nil && about.Encrypted && unlock != nil {
		if cfg.Decrypt, err = unlock(path); err != nil {
			return nil, err
		}
	}
	return Verify(path, cfg)
}

// compare compares two cases of a session. What either's own proof has found is not told again.
func (r *Report) compare(path, other string, unlock Unlock) (err error) {
	second := r.Seconds[len(r.Seconds)-1]
	if second.Case.Encrypted && unlock == nil || r.Case.Encrypted && unlock == nil {
		r.remark("without a key, what the second recorder of %s has is not compared", second.Case.Standby)
		return nil
	}
	if slices.ContainsFunc(append(slices.Clone(r.Faults), second.Faults...), func(f Fault) bool { return f.Kind == Deleted }) {
		return nil
	}
	a, err := openWith(path, unlock)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := openWith(other, unlock)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := sameSession(a, b); err != nil {
		return err
	}
	r.named(a, b)
	if err := r.compareFrames(a, b); err != nil {
		return err
	}
	return r.compareLogs(a, b)
}

// named sees that the second recorder is the one that told the room of itself.
func (r *Report) named(a, b *Case) {
	about := b.Manifest.Case
	for _, s := range a.Manifest.Standbys {
		if s.Case != about.ID {
			continue
		}
		if s.Key != about.Key || s.Participant != about.Standby {
			r.fault(WrongKey, "the second recorder's case "+about.ID, "during the session %s told of it with another key, %s", s.Name, s.Key)
		}
		return
	}
	r.remark("the second recorder's case %s was not told of while this case was recorded", about.ID)
}

func (r *Report) compareFrames(a, b *Case) error {
	ours, err := a.shots()
	if err != nil {
		return err
	}
	theirs, err := b.shots()
	if err != nil {
		return err
	}
	for s, shots := range theirs {
		c := Compared{Case: b.Manifest.Case.ID, Track: s.name, Here: []Absent{}, There: []Absent{}}
		have := make(map[int64]shot, len(ours[s]))
		for _, f := range ours[s] {
			have[f.Captured] = f
		}
		last := false // the frame before is missing here
		for _, f := range shots {
			mine, ok := have[f.Captured]
			if !ok && (f.Session < a.Manifest.Case.Start || f.Session > a.Manifest.To) {
				c.Outside++
				last = false
				continue
			}
			if !ok {
				c.Here, last = absent(c.Here, f.Frame, last), true
				continue
			}
			last = false
			same, err := sameFrame(mine, f)
			if err != nil {
				return err
			}
			if !same {
				r.fault(Disagree, fmt.Sprintf("%s, and %s of the second recorder's case %s", mine.file.File, f.file.File, b.Manifest.Case.ID),
					"the frame captured at %d (session time %s) is not the same in both", f.Captured, micros(f.Session))
				continue
			}
			c.Same++
		}
		r.theirGaps(&c, b, ours[s], shots)
		r.Compared = append(r.Compared, c)
		r.tell(c)
	}
	slices.SortFunc(r.Compared, func(x, y Compared) int { return bytes.Compare([]byte(x.Case+x.Track), []byte(y.Case+y.Track)) })
	return nil
}

func absent(all []Absent, f Frame, continues bool) []Absent {
	if continues {
		last := &all[len(all)-1]
		last.Frames, last.To = last.Frames+1, f.Session
		return all
	}
	return append(all, Absent{1, f.Session, f.Session})
}

func sameFrame(a, b shot) (bool, error) {
	if a.Size != b.Size || a.Key != b.Key {
		return false, nil
	}
	x, err := a.from.Data(a.file.Track, a.Frame)
	if err != nil {
		return false, err
	}
	y, err := b.from.Data(b.file.Track, b.Frame)
	return err == nil && bytes.Equal(x, y), err
}

// theirGaps finds what the second recorder lacks between its first and its last frame. It records a frame before it
// is sent, so that where it does not say why, something was taken out.
func (r *Report) theirGaps(c *Compared, b *Case, ours, theirs []shot) {
	have := make(map[int64]bool, len(theirs))
	for _, f := range theirs {
		have[f.Captured] = true
	}
	first, final := theirs[0].Captured, theirs[len(theirs)-1].Captured
	last := false
	for _, f := range ours {
		if f.Captured < first || f.Captured > final || have[f.Captured] {
			last = false
			continue
		}
		c.There, last = absent(c.There, f.Frame, last), true
		if !b.explains(f.Frame, theirs) {
			r.fault(Missing, "the second recorder's case "+c.Case, "the frame of %s captured at %d (session time %s) is in the relay's case only, and no gap is told of",
				c.Track, f.Captured, micros(f.Session))
		}
	}
}

// gapSlack is how far the ends of a gap may lie apart on two recorders, µs: what one has heard is on its way to the
// other, and a picture is recorded from a key frame on.
const gapSlack = 2_000_000

// explains says whether a gap of the chain, or its next key frame, explains that a frame is not there.
func (c *Case) explains(f Frame, theirs []shot) bool {
	for _, g := range c.Manifest.Gaps {
		until := g.To + gapSlack
		if i := slices.IndexFunc(theirs, func(s shot) bool { return s.Session > g.To }); i >= 0 {
			until = max(until, theirs[i].Session+gapSlack)
		}
		if f.Session >= g.From-gapSlack && f.Session <= until {
			return true
		}
	}
	return false
}

// tell says in words what was compared.
func (r *Report) tell(c Compared) {
	r.remark("second recorder's case %s, %s: %d frames are the same in both, and %d are from before or after this case", c.Case, c.Track, c.Same, c.Outside)
	for _, a := range c.Here {
		r.remark("%d frames of %s from %s to %s are not in this case; the second recorder's case %s has them", a.Frames, c.Track, micros(a.From), micros(a.To), c.Case)
	}
	for _, a := range c.There {
		r.remark("%d frames of %s from %s to %s are not in the second recorder's case %s", a.Frames, c.Track, micros(a.From), micros(a.To), c.Case)
	}
}

// compareLogs compares the messages that both have.
func (r *Report) compareLogs(a, b *Case) error {
	sums := map[uint64][sha256.Size]byte{}
	err := a.ownLog(func(e wire.Envelope) error {
		sum, err := sumOf(e)
		if e.Seq != 0 {
			sums[e.Seq] = sum
		}
		return err
	})
	if err != nil {
		return err
	}
	return b.ownLog(func(e wire.Envelope) error {
		sum, err := sumOf(e)
		if mine, ok := sums[e.Seq]; err == nil && e.Seq != 0 && ok && mine != sum {
			r.fault(Disagree, LogFile, "message %d of the room's log is not the same in the second recorder's case %s", e.Seq, b.Manifest.Case.ID)
		}
		return err
	})
}

func sumOf(e wire.Envelope) ([sha256.Size]byte, error) {
	if len(e.Body) > 0 {
		var compact bytes.Buffer
		if err := json.Compact(&compact, e.Body); err != nil {
			return [sha256.Size]byte{}, err
		}
		e.Body = compact.Bytes()
	}
	data, err := e.Encode()
	return sha256.Sum256(data), err
}
