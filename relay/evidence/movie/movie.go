package movie

import (
	"bytes"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4/seekablebuffer"

	"sightline/relay/evidence"
)

// Movie is one fragmented MP4 with one track, and the table of its frames. Its time is session time from
// the beginning of the recording on. One goroutine uses it.
type Movie struct {
	case_  *evidence.Writer
	about  evidence.Track
	format Format
	start  int64 // session time of time 0, µs

	part    uint32
	offset  int64   // of the next fragment
	index   int     // of the next frame
	ready   []frame // whose durations are known
	base    int64   // decoding time of the first of ready
	held    *frame  // the latest: its duration is known when the next comes
	lastDur int64
}

// frame is a sample, and its name.
type frame struct {
	*fmp4.Sample
	at       int64 // of the file's timescale
	captured int64
}

// New begins the files of a track, whose first frame is of that session time.
func New(w *evidence.Writer, about evidence.Track, f Format, start, at int64) (*Movie, error) {
	head, err := f.head()
	if err != nil {
		return nil, err
	}
	about.Width, about.Height, about.Timescale = f.width, f.height, f.timescale
	m := &Movie{case_: w, about: about, format: f, start: start, offset: int64(len(head)), lastDur: int64(f.timescale) / 50}
	w.Note(evidence.Record{Kind: evidence.KindTrack, Track: &about})
	err = w.Append(evidence.Chunk{File: about.File, Data: head, From: at, To: at},
		evidence.Chunk{File: about.Table, Data: []byte(evidence.TableHead + "\n"), From: at, To: at})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Write takes a frame that was captured at that session time.
func (m *Movie) Write(u Unit, session int64) error {
	s, err := sampleOf(m.about.Codec, u)
	if err != nil {
		return err
	}
	f := &frame{Sample: s, captured: u.Captured, at: max((session-m.start)*int64(m.format.timescale)/1_000_000, 0)}
	if m.held != nil {
		f.at = max(f.at, m.held.at+1)
		m.settle(f.at)
	} else {
		f.at = max(f.at, m.base)
	}
	m.held = f
	if f.at-m.base >= int64(m.format.timescale)/2 && len(m.ready) > 0 {
		return m.Flush()
	}
	return nil
}

// settle gives the held frame its duration: it lasts until the next begins.
func (m *Movie) settle(next int64) {
	m.lastDur = min(next-m.held.at, 1<<31)
	m.held.Duration = uint32(m.lastDur)
	if len(m.ready) == 0 {
		m.base = m.held.at
	}
	m.ready = append(m.ready, *m.held)
	m.held = nil
}

// session is the session time of a time of the file, µs.
func (m *Movie) session(at int64) int64 { return m.start + at*1_000_000/int64(m.format.timescale) }

// Flush gives what is ready to the case as one fragment, which plays from then on. Where it cannot be taken,
// it is let go.
func (m *Movie) Flush() error {
	if len(m.ready) == 0 {
		return nil
	}
	ready := m.ready
	m.ready = nil
	fragment, err := m.fragment(ready)
	if err != nil {
		return err
	}
	at := m.offset + int64(len(fragment)) // the samples are the end of a fragment
	for _, f := range ready {
		at -= int64(len(f.Payload))
	}
	var table bytes.Buffer
	for i, f := range ready {
		row := evidence.Frame{Captured: f.captured, Session: m.session(f.at), Key: !f.IsNonSyncSample, Offset: at, Size: len(f.Payload)}
		table.WriteString(row.Row(m.index+i) + "\n")
		at += int64(len(f.Payload))
	}
	from, to := m.session(ready[0].at), m.session(ready[len(ready)-1].at)
	err = m.case_.Append(evidence.Chunk{File: m.about.File, Data: fragment, From: from, To: to, Items: len(ready)},
		evidence.Chunk{File: m.about.Table, Data: table.Bytes(), From: from, To: to, Items: len(ready)})
	if err != nil {
		m.base = ready[len(ready)-1].at + 1
		return err
	}
	m.part, m.offset, m.index = m.part+1, m.offset+int64(len(fragment)), m.index+len(ready)
	return nil
}

func (m *Movie) fragment(ready []frame) ([]byte, error) {
	samples := make([]*fmp4.Sample, 0, len(ready))
	for _, f := range ready {
		samples = append(samples, f.Sample)
	}
	var out seekablebuffer.Buffer
	part := fmp4.Part{SequenceNumber: m.part + 1, Tracks: []*fmp4.PartTrack{{ID: 1, BaseTime: uint64(m.base), Samples: samples}}}
	if err := part.Marshal(&out); err != nil {
		return nil, fmt.Errorf("write a fragment: %w", err)
	}
	return out.Bytes(), nil
}

// Close writes the last frames.
func (m *Movie) Close() error {
	if m.held != nil {
		m.settle(m.held.at + m.lastDur)
	}
	return m.Flush()
}

// Pause ends the last frame: what comes next is later.
func (m *Movie) Pause() error { return m.Close() }

// Format is what the file says of its frames.
func (m *Movie) Format() Format { return m.format }
