// Package tape is a recorded session as it was at any instant: a case (relay/evidence) whose log is taken
// apart by time, so that marks, poses, readings and words of a moment are found at once. The tape believes
// the case; evidence.Verify says whether to. All times are session time in µs unless they say otherwise.
package tape

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sightline/annotate"
	"sightline/annotate/replica"
	"sightline/devices"
	"sightline/relay/evidence"
	"sightline/relay/wire"
)

// Tape is an opened case. One goroutine uses it, but for Data.
type Tape struct {
	About    evidence.About
	Manifest evidence.Manifest
	// Start and End are where the recording begins and ends.
	Start, End int64
	// Head is the last signed head of the case's chain; empty where there is none.
	Head    string
	Cameras []*Camera // the technician's first; each has a frame
	Sounds  []*Sound  // the technician's first; each has a packet
	Words   []Words   // what was said or written, by time
	Alarms  []Alarm   // by when they began
	Stays   []Stay    // who was there, by when they came
	Fills   []Fill    // what another recorder filled in, by time
	Moments []Moment  // all that happened, by time

	reading  sync.Mutex // of the case's files
	file     *evidence.Case
	edits    []wire.Envelope // marks and anchors, by time
	shots    []wire.Envelope // snapshots that were taken
	births   map[string][]birth
	series   map[[2]string]*series
	machines []string // that were heard of, by name
	poses    map[string]*poses
	people   map[string]wire.Participant // as they were last

	cursor  *replica.Replica // the marks as they stand after applied edits
	applied int
}

// Camera is a participant's video: every frame of it, over all its files.
type Camera struct {
	Participant, Name, Role, Track string
	Files                          []evidence.TrackFile
	Shots                          []Shot // by time
	Width, Height                  int    // the largest
}

// Shot is one frame, in the file of that index.
type Shot struct {
	evidence.Frame
	File int
}

// Sound is a participant's sound, over all its files.
type Sound struct {
	Participant, Name, Role string
	Files                   []evidence.TrackFile
	Shots                   []Shot // packets of Opus, by time
}

// Fill is a part of a track that the relay's own recording lacks.
type Fill struct {
	From, To                    int64
	Recorder                    string // who has recorded it, in words
	Participant, Name, Of, Kind string // whose it is, the track's name, and video or audio
}

// birth is what a machine said of itself, and when.
type birth struct {
	at      int64
	machine devices.Machine
}

// Open reads a case, the folder or the archive, and fills in what it lacks from others of its session: those of second
// recorders. unlock is for encrypted ones; nil otherwise. Close the tape afterwards.
func Open(path string, others []string, unlock evidence.Unlock) (*Tape, error) {
	c, err := openCase(path, others, unlock)
	if err != nil {
		return nil, err
	}
	m := c.Manifest
	t := &Tape{file: c, About: m.Case, Manifest: m, Start: m.Case.Start, End: max(m.To, m.Case.Start+1), Head: c.Head,
		births: map[string][]birth{}, series: map[[2]string]*series{}, poses: map[string]*poses{}, people: map[string]wire.Participant{}}
	err = t.load()
	if m.Deleted {
		err = errors.New("the contents of this case were deleted; only its chain is left")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("case %s: %w", path, err), c.Close())
	}
	return t, nil
}

func openCase(path string, others []string, unlock evidence.Unlock) (*evidence.Case, error) {
	if len(others) > 0 {
		return evidence.OpenMerged(path, others, unlock)
	}
	about, err := evidence.Begin(path)
	if err != nil {
		return nil, err
	}
	var decrypt evidence.Decrypt
	if about.Encrypted && unlock != nil {
		if decrypt, err = unlock(path); err != nil {
			return nil, err
		}
	}
	return evidence.Open(path, decrypt)
}

// Close closes the case's files.
func (t *Tape) Close() error { return t.file.Close() }

// load reads the log and the tables of frames.
func (t *Tape) load() error {
	if err := t.file.Log(t.take); err != nil {
		return err
	}
	byTime := func(a, b wire.Envelope) int { return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Seq, b.Seq)) }
	slices.SortStableFunc(t.edits, byTime)
	slices.SortStableFunc(t.shots, byTime)
	for _, s := range t.series {
		s.sort()
	}
	for _, p := range t.poses {
		p.sort()
	}
	slices.SortStableFunc(t.Words, func(a, b Words) int { return cmp.Compare(a.At, b.At) })
	for _, f := range t.Manifest.Tracks {
		if err := t.track(f); err != nil {
			return err
		}
	}
	slices.SortStableFunc(t.Cameras, func(a, b *Camera) int { return cmp.Compare(order(a.Role), order(b.Role)) })
	slices.SortStableFunc(t.Sounds, func(a, b *Sound) int { return cmp.Compare(order(a.Role), order(b.Role)) })
	t.name()
	t.findFills()
	t.findAlarms()
	t.findMoments()
	return nil
}

// order puts the technician before the experts, and both before whoever else is there.
func order(role string) int {
	switch role {
	case "field":
		return 0
	case "expert":
		return 1
	}
	return 2
}

// track adds the frames of one file to its camera or its sound.
func (t *Tape) track(f evidence.TrackFile) error {
	frames, err := t.file.Frames(f.Track)
	if err != nil {
		return err
	}
	if len(frames) == 0 {
		return nil // it was announced, and nothing of it was written
	}
	var files *[]evidence.TrackFile
	var shots *[]Shot
	switch f.Kind {
	case wire.Video:
		c := t.camera(f.Track)
		c.Width, c.Height = max(c.Width, f.Width), max(c.Height, f.Height)
		files, shots = &c.Files, &c.Shots
	default:
		s := t.sound(f.Track)
		files, shots = &s.Files, &s.Shots
	}
	for _, frame := range frames {
		*shots = append(*shots, Shot{frame, len(*files)})
	}
	*files = append(*files, f)
	slices.SortStableFunc(*shots, func(a, b Shot) int { return cmp.Compare(a.Session, b.Session) })
	return nil
}

func (t *Tape) camera(f evidence.Track) *Camera {
	for _, c := range t.Cameras {
		if c.Participant == f.Participant && c.Track == f.TrackName {
			return c
		}
	}
	c := &Camera{Participant: f.Participant, Name: f.Name, Role: f.Role, Track: f.TrackName}
	t.Cameras = append(t.Cameras, c)
	return c
}

func (t *Tape) sound(f evidence.Track) *Sound {
	for _, s := range t.Sounds {
		if s.Participant == f.Participant {
			return s
		}
	}
	s := &Sound{Participant: f.Participant, Name: f.Name, Role: f.Role}
	t.Sounds = append(t.Sounds, s)
	return s
}

// At returns the index of the frame that shows at an instant, -1 before the first.
func (c *Camera) At(session int64) int { return at(c.Shots, session) }

// At returns the index of the packet that sounds at an instant, -1 before the first.
func (s *Sound) At(session int64) int { return at(s.Shots, session) }

func at(shots []Shot, session int64) int {
	i, _ := slices.BinarySearchFunc(shots, session+1, func(s Shot, v int64) int { return cmp.Compare(s.Session, v) })
	return i - 1
}

// Key returns the index of the frame that a decoder begins with to show a frame; -1 where there is none.
func (c *Camera) Key(i int) int {
	for file := c.Shots[i].File; i >= 0 && !c.Shots[i].Key; i-- {
		if c.Shots[i].File != file {
			return -1
		}
	}
	return i
}

// Data returns a frame as its decoder takes it. It is safe for use by several goroutines, beside all else.
func (t *Tape) Data(files []evidence.TrackFile, s Shot) ([]byte, error) {
	t.reading.Lock()
	defer t.reading.Unlock()
	return t.file.Data(files[s.File].Track, s.Frame)
}

// Marks returns the marks with their anchors as they stood at an instant, oldest first. It is quick where
// the instants come in their order.
func (t *Tape) Marks(session int64) []annotate.Entry {
	if t.cursor == nil || t.applied > 0 && t.edits[t.applied-1].Time > session {
		t.cursor, t.applied = replica.New(), 0
	}
	for t.applied < len(t.edits) && t.edits[t.applied].Time <= session {
		_, _ = t.cursor.Apply(t.edits[t.applied]) // what cannot be read was in nobody's picture either
		t.applied++
	}
	return t.cursor.List()
}

// Person returns a participant's name, for people.
func (t *Tape) Person(id string) string { return cmp.Or(t.people[id].Name, id) }

// UTC returns the wall clock of the relay at an instant, µs since the Unix epoch.
func (t *Tape) UTC(session int64) int64 { return t.About.SessionBegan + session }

// Recorder says who has recorded a frame of a camera, where that was not the recorder of the case; empty otherwise.
func (t *Tape) Recorder(c *Camera, i int) string { return t.named(c.Files[c.Shots[i].File].Recorder) }

// named puts people's names into words in place of their IDs.
func (t *Tape) named(words string) string {
	for id, p := range t.people {
		if p.Name != "" {
			words = strings.ReplaceAll(words, id, p.Name)
		}
	}
	return words
}

// findFills finds the runs of frames that other recorders filled in.
func (t *Tape) findFills() {
	run := func(participant, name, track, kind string, files []evidence.TrackFile, shots []Shot) {
		open := -1
		for i, s := range shots {
			who := files[s.File].Recorder
			if i > 0 && files[shots[i-1].File].Recorder != who {
				open = -1
			}
			switch {
			case who == "":
			case open < 0:
				open = len(t.Fills)
				t.Fills = append(t.Fills, Fill{s.Session, s.Session, t.named(who), participant, name, track, kind})
			default:
				t.Fills[open].To = s.Session
			}
		}
	}
	for _, c := range t.Cameras {
		run(c.Participant, c.Name, c.Track, wire.Video, c.Files, c.Shots)
	}
	for _, s := range t.Sounds {
		run(s.Participant, s.Name, s.Files[0].TrackName, wire.Audio, s.Files, s.Shots)
	}
	slices.SortStableFunc(t.Fills, func(a, b Fill) int { return cmp.Compare(a.From, b.From) })
}
