package evidence

import (
	"encoding/json"
	"slices"
)

// Manifest is what is in a case, for people and programs that do not want to read the chain: it is made from
// the chain alone, and is the last piece that is sealed before the end.
type Manifest struct {
	Case About `json:"case"`
	// To is the session time of the latest that was sealed, µs; EndedUTC the wall clock at the end.
	To       int64       `json:"to"`
	EndedUTC string      `json:"ended_utc,omitempty"`
	ClosedBy string      `json:"closed_by,omitempty"` // relay or recovery; empty while the case is open
	Tracks   []TrackFile `json:"tracks"`
	Files    []File      `json:"files"`
	Gaps     []Gap       `json:"gaps"`
	Consents []Consent   `json:"consents,omitempty"`
	Jumps    []int64     `json:"jumps,omitempty"` // of the wall clock, µs
	// Standbys are the second recorders of the session that told the room of themselves.
	Standbys []Standby `json:"standbys,omitempty"`
	// Deleted says that the contents were deleted, and only the chain is there.
	Deleted bool `json:"deleted,omitempty"`
}

// TrackFile is a track's file and what is in it.
type TrackFile struct {
	Track
	From   int64 `json:"from"` // session time, µs
	To     int64 `json:"to"`   // session time, µs
	Frames int   `json:"frames"`
	// Recorder says who has recorded the frames that fill a gap in a merged case; empty for the case's own.
	Recorder string `json:"recorder,omitempty"`
}

// File is a file of the case.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // as it lies on the disk
	Pieces int    `json:"pieces"`
	Items  int    `json:"items"`
	From   int64  `json:"from"` // session time, µs
	To     int64  `json:"to"`   // session time, µs
}

// take adds what a record says.
func (m *Manifest) take(r Record) {
	switch r.Kind {
	case KindBegin:
		if r.Case != nil {
			m.Case, m.ClosedBy = *r.Case, ""
		}
	case KindTrack:
		if r.Track != nil {
			m.Tracks = append(m.Tracks, TrackFile{Track: *r.Track})
		}
	case KindPieces:
		for _, p := range r.Pieces {
			m.piece(p)
		}
	case KindGap:
		if r.Gap != nil {
			m.Gaps = append(m.Gaps, *r.Gap)
		}
	case KindConsent:
		if r.Consent != nil {
			m.Consents = append(m.Consents, *r.Consent)
		}
	case KindStandby:
		if r.Standby != nil {
			m.Standbys = append(m.Standbys, *r.Standby)
		}
	case KindDeleted:
		m.Deleted = true
	case KindClock:
		m.Jumps = append(m.Jumps, r.Jump)
	case KindRecovered:
		m.ClosedBy, m.EndedUTC = "recovery", r.UTC
		m.Files = slices.DeleteFunc(m.Files, func(f File) bool { return f.Name == ManifestFile }) // it was made before the end
	}
}

func (m *Manifest) piece(p Piece) {
	i := slices.IndexFunc(m.Files, func(f File) bool { return f.Name == p.File })
	if i < 0 {
		i = len(m.Files)
		m.Files = append(m.Files, File{Name: p.File, From: p.From})
	}
	f := &m.Files[i]
	f.Size, f.Pieces, f.Items = f.Size+p.Size, f.Pieces+1, f.Items+p.Items
	f.From, f.To = min(f.From, p.From), max(f.To, p.To)
	m.To = max(m.To, p.To)
	for i := range m.Tracks {
		if t := &m.Tracks[i]; t.File == p.File {
			t.From, t.To, t.Frames = f.From, f.To, f.Items
		}
	}
}

// size is how long a file is by what was taken so far.
func (m *Manifest) size(name string) int64 {
	for _, f := range m.Files {
		if f.Name == name {
			return f.Size
		}
	}
	return 0
}

func (m *Manifest) encode() ([]byte, error) {
	c := *m
	if c.Tracks == nil {
		c.Tracks = []TrackFile{}
	}
	if c.Files == nil {
		c.Files = []File{}
	}
	if c.Gaps == nil {
		c.Gaps = []Gap{}
	}
	data, err := json.MarshalIndent(c, "", "  ")
	return append(data, '\n'), err
}
