package record

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4/seekablebuffer"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4"

	"sightline/relay/internal/media"
)

// movie is one fragmented MP4 with one track, and the table of its frames. Its time is session time from
// the beginning of the recording on. One goroutine uses it.
type movie struct {
	codec     string
	timescale int64
	start     int64 // session time of time 0, µs
	file      *os.File
	frames    *os.File
	table     *bufio.Writer

	part    uint32
	ready   []*fmp4.Sample // whose durations are known
	base    int64          // decoding time of the first of ready
	held    *fmp4.Sample   // the latest: its duration is known when the next comes
	heldAt  int64
	lastDur int64
	index   int
}

// errFrame says that a frame is left out: it is not what its codec says.
var errFrame = errors.New("frame is not valid H.264")

func canRecord(codec string) bool { return codec == media.H264 || codec == media.Opus }

// newMovie makes path.mp4 and path.frames.csv for a track that begins with u.
func newMovie(path, codec string, u media.Unit, start int64) (*movie, error) {
	m := &movie{codec: codec, timescale: 90000, start: start, lastDur: 3000}
	var track mp4.Codec
	if codec == media.Opus {
		track = &mp4.CodecOpus{ChannelCount: 2}
		m.timescale, m.lastDur = 48000, 960
	} else {
		sps, pps := parameterSets(u)
		if sps == nil || pps == nil {
			return nil, errFrame
		}
		track = &mp4.CodecH264{SPS: sps, PPS: pps}
	}
	var head seekablebuffer.Buffer
	init := fmp4.Init{Tracks: []*fmp4.InitTrack{{ID: 1, TimeScale: uint32(m.timescale), Codec: track}}}
	if err := init.Marshal(&head); err != nil {
		return nil, fmt.Errorf("begin the file: %w", err)
	}
	var err error
	if m.file, err = create(path + ".mp4"); err != nil {
		return nil, err
	}
	if m.frames, err = create(path + ".frames.csv"); err != nil {
		return nil, errors.Join(err, m.file.Close())
	}
	m.table = bufio.NewWriter(m.frames)
	_, err = m.table.WriteString("index,captured_us,session_us,key\n")
	if err == nil {
		_, err = m.file.Write(head.Bytes())
	}
	return m, err
}

func create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
}

// write takes a frame that was captured at that session time.
func (m *movie) write(u media.Unit, session int64) error {
	s, err := m.sample(u)
	if err != nil {
		return err
	}
	at := max((session-m.start)*m.timescale/1_000_000, 0)
	if m.held != nil {
		at = max(at, m.heldAt+1)
		m.settle(at)
	}
	m.held, m.heldAt = s, at
	key := 0
	if u.Key {
		key = 1
	}
	_, err = fmt.Fprintf(m.table, "%d,%d,%d,%d\n", m.index, u.Captured, session, key)
	m.index++
	if m.heldAt-m.base >= m.timescale && len(m.ready) > 0 {
		return errors.Join(err, m.flush())
	}
	return err
}

// settle gives the held sample its duration: it lasts until the next begins.
func (m *movie) settle(next int64) {
	m.lastDur = min(next-m.heldAt, 1<<31)
	m.held.Duration = uint32(m.lastDur)
	if len(m.ready) == 0 {
		m.base = m.heldAt
	}
	m.ready = append(m.ready, m.held)
	m.held = nil
}

func (m *movie) sample(u media.Unit) (*fmp4.Sample, error) {
	if m.codec == media.Opus {
		return &fmp4.Sample{Payload: u.Data}, nil
	}
	var nalus h264.AnnexB
	if err := nalus.Unmarshal(u.Data); err != nil {
		return nil, errFrame
	}
	s := &fmp4.Sample{}
	if err := s.FillH264(0, nalus); err != nil {
		return nil, errFrame
	}
	s.IsNonSyncSample = !u.Key
	return s, nil
}

// flush writes what is ready as one part, which plays from then on.
func (m *movie) flush() error {
	if len(m.ready) == 0 {
		return m.table.Flush()
	}
	m.part++
	var out seekablebuffer.Buffer
	part := fmp4.Part{SequenceNumber: m.part, Tracks: []*fmp4.PartTrack{{ID: 1, BaseTime: uint64(m.base), Samples: m.ready}}}
	if err := part.Marshal(&out); err != nil {
		return fmt.Errorf("write a part: %w", err)
	}
	m.ready = nil
	_, err := m.file.Write(out.Bytes())
	return errors.Join(err, m.table.Flush())
}

func (m *movie) close() error {
	if m.held != nil {
		m.settle(m.heldAt + m.lastDur)
	}
	return errors.Join(m.flush(), m.file.Sync(), m.file.Close(), m.frames.Close())
}

// parameterSets returns the SPS and PPS of a key frame.
func parameterSets(u media.Unit) (sps, pps []byte) {
	var nalus h264.AnnexB
	if nalus.Unmarshal(u.Data) != nil {
		return nil, nil
	}
	for _, n := range nalus {
		switch h264.NALUType(n[0] & 0x1f) {
		case h264.NALUTypeSPS:
			sps = n
		case h264.NALUTypePPS:
			pps = n
		}
	}
	return sps, pps
}

// pictureSize returns the size that a key frame sets, or nothing.
func pictureSize(codec string, u media.Unit) string {
	if !u.Key || !strings.HasPrefix(codec, "video/") {
		return ""
	}
	sps, _ := parameterSets(u)
	var s h264.SPS
	if sps == nil || s.Unmarshal(sps) != nil {
		return ""
	}
	return fmt.Sprintf("%dx%d", s.Width(), s.Height())
}
