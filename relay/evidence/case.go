package evidence

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"

	"sightline/relay/wire"
)

// Case is a case that is read: a folder or an archive, closed or still open. It believes what it reads;
// Verify says whether to. Its methods may be called from one goroutine at a time.
type Case struct {
	// Manifest is reckoned from the chain, so that it is there for an open case too.
	Manifest Manifest
	// Head is the text and the signature of the chain's last head; empty where there is none.
	Head string

	source source
	pieces map[string][]placed
	open   Decrypt

	// Of a merged case.
	others []*Case
	fills  map[string]*fill // by the file's name in the manifest
	extra  []wire.Envelope  // messages that only others have, by time
}

// Decrypt makes an encrypted piece readable.
type Decrypt func([]byte) ([]byte, error)

// placed is a piece and where it lies in the file as it was before encryption.
type placed struct {
	Piece
	at, size int64
	data     []byte // kept after it was decrypted
}

// Open opens a case for reading. decrypt is for encrypted cases; nil otherwise. Close it afterwards.
func Open(path string, decrypt Decrypt) (*Case, error) {
	s, err := openSource(path)
	if err != nil {
		return nil, err
	}
	c := &Case{source: s, pieces: map[string][]placed{}, open: decrypt}
	err = c.readChain()
	if err == nil && c.Manifest.Case.Encrypted && decrypt == nil {
		err = errors.New("the case is encrypted: give its key")
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return c, nil
}

// Close closes the case's files.
func (c *Case) Close() error {
	err := c.source.close()
	for _, o := range c.others {
		err = errors.Join(err, o.Close())
	}
	return err
}

func (c *Case) readChain() error {
	in, err := c.source.open(ChainFile)
	if err != nil {
		return fmt.Errorf("this is no case: %w", err)
	}
	err = eachLine(in, func(line []byte) error {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("chain: %w", err)
		}
		c.Manifest.take(r)
		if r.Kind == KindHead {
			c.Head = r.Note
		}
		if r.Kind == KindRecovered {
			delete(c.pieces, ManifestFile)
		}
		for _, p := range r.Pieces {
			if !p.fits() || p.Offset < 0 {
				return fmt.Errorf("chain: a piece of %q of %d bytes", p.File, p.Size)
			}
			c.place(p)
		}
		return nil
	})
	if err == nil && c.Manifest.Case.Format != Format {
		err = fmt.Errorf("the case has format %d; this program reads %d", c.Manifest.Case.Format, Format)
	}
	return err
}

// Begin reads what a case is of, from the first line of its chain.
func Begin(path string) (about About, err error) {
	s, err := openSource(path)
	if err != nil {
		return About{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	in, err := s.open(ChainFile)
	if err != nil {
		return About{}, fmt.Errorf("this is no case: %w", err)
	}
	line, err := readLine(bufio.NewReader(in))
	if err != nil {
		return About{}, fmt.Errorf("the chain has no beginning: %w", err)
	}
	r, err := ParseRecord(line)
	if err != nil || r.Case == nil {
		return About{}, fmt.Errorf("the chain does not begin as one does (%v)", err)
	}
	return *r.Case, nil
}

// maxPiece bounds a piece, bytes: more than may wait for the disk.
const maxPiece = 2 * MaxWaiting

// fits says whether a piece's sizes can be: it is read as a whole.
func (p Piece) fits() bool {
	return p.Size >= 0 && p.Size <= maxPiece && p.Plain >= 0 && p.Plain <= maxPiece
}

func (c *Case) place(p Piece) {
	all := c.pieces[p.File]
	at := int64(0)
	if len(all) > 0 {
		last := all[len(all)-1]
		at = last.at + last.size
	}
	size := p.Size
	if c.Manifest.Case.Encrypted && !alwaysPlain(p.File) {
		size = p.Plain
	}
	c.pieces[p.File] = append(all, placed{Piece: p, at: at, size: size})
}

// maxLine bounds a line of the chain or the log, bytes.
const maxLine = 4 << 20

// eachLine calls fn with every line that is whole, without its newline.
func eachLine(in io.Reader, fn func([]byte) error) error {
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		line, err := readLine(r)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = fn(line)
		}
		if err != nil {
			return err
		}
	}
}

// readLine returns a line without its newline; io.EOF also for one that has none.
func readLine(r *bufio.Reader) ([]byte, error) {
	var all []byte
	for {
		part, err := r.ReadSlice('\n')
		all = append(all, part...)
		switch {
		case len(all) > maxLine:
			return nil, fmt.Errorf("a line is longer than %d bytes", maxLine)
		case err == bufio.ErrBufferFull:
		case err != nil:
			return nil, err
		default:
			return all[:len(all)-1], nil
		}
	}
}

// ReadAt reads from a file of the case as it was before encryption.
func (c *Case) ReadAt(name string, buf []byte, off int64) error {
	if !c.Manifest.Case.Encrypted || alwaysPlain(name) {
		in, err := c.source.open(name)
		if err == nil {
			_, err = in.ReadAt(buf, off)
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	all := c.pieces[name]
	for len(buf) > 0 {
		i := sort.Search(len(all), func(i int) bool { return all[i].at+all[i].size > off })
		if i == len(all) {
			return io.ErrUnexpectedEOF
		}
		data, err := c.plain(all, i)
		if err != nil {
			return err
		}
		n := copy(buf, data[off-all[i].at:])
		buf, off = buf[n:], off+int64(n)
	}
	return nil
}

// plain decrypts a piece, and keeps it until another of the file is read.
func (c *Case) plain(all []placed, i int) ([]byte, error) {
	if all[i].data != nil {
		return all[i].data, nil
	}
	in, err := c.source.open(all[i].File)
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, all[i].Size)
	if _, err := in.ReadAt(sealed, all[i].Offset); err != nil && err != io.EOF {
		return nil, err
	}
	data, err := c.open(sealed)
	if err != nil {
		return nil, fmt.Errorf("%s at byte %d: %w", all[i].File, all[i].Offset, err)
	}
	if int64(len(data)) != all[i].size {
		return nil, fmt.Errorf("%s at byte %d is %d bytes, not %d", all[i].File, all[i].Offset, len(data), all[i].size)
	}
	for j := range all {
		all[j].data = nil
	}
	all[i].data = data
	return data, nil
}

// size is how long a file is before encryption, as far as it is sealed.
func (c *Case) size(name string) int64 {
	all := c.pieces[name]
	if len(all) == 0 {
		return 0
	}
	last := all[len(all)-1]
	return last.at + last.size
}

// Reader reads a file of the case from its beginning, as far as it is sealed.
func (c *Case) Reader(name string) io.Reader {
	return &caseReader{c: c, name: name, size: c.size(name)}
}

type caseReader struct {
	c        *Case
	name     string
	at, size int64
}

func (r *caseReader) Read(p []byte) (int, error) {
	p = p[:min(int64(len(p)), r.size-r.at)]
	if r.at >= r.size {
		return 0, io.EOF
	}
	if err := r.c.ReadAt(r.name, p, r.at); err != nil {
		return 0, err
	}
	r.at += int64(len(p))
	return len(p), nil
}

// Log calls fn with every message of the room log, in the order in which the relay took them; poses and
// samples of pointers stand between them. An envelope's Time is session time.
func (c *Case) Log(fn func(wire.Envelope) error) error {
	if len(c.extra) > 0 {
		return c.mergedLog(fn)
	}
	return c.ownLog(fn)
}

func (c *Case) ownLog(fn func(wire.Envelope) error) error {
	return eachLine(c.Reader(LogFile), func(line []byte) error {
		var e wire.Envelope
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("log: %w", err)
		}
		return fn(e)
	})
}

// Frame is one frame of a track: a picture, or a packet of sound.
type Frame struct {
	Captured int64 // µs on the publisher's clock: the frame's name
	Session  int64 // session time at which it was captured, µs
	Key      bool  // a decoder can begin here
	Offset   int64 // of its sample in the track's file, bytes
	Size     int   // of its sample, bytes
}

// TableHead is the first line of a track's table of frames.
const TableHead = "index,captured_us,session_us,key,offset,size"

// Frames returns all frames of a track, in the order of their session time.
func (c *Case) Frames(t Track) ([]Frame, error) {
	if c.fills != nil {
		if f := c.fills[t.File]; f != nil {
			return f.frames, nil
		}
		return nil, nil
	}
	var frames []Frame
	first := true
	err := eachLine(c.Reader(t.Table), func(line []byte) error {
		if first {
			first = false
			if string(line) != TableHead {
				return fmt.Errorf("%s does not begin with %q", t.Table, TableHead)
			}
			return nil
		}
		f, err := parseFrame(string(line), len(frames))
		frames = append(frames, f)
		return err
	})
	return frames, err
}

// Row writes a frame as a line of the table, without newline.
func (f Frame) Row(index int) string {
	key := 0
	if f.Key {
		key = 1
	}
	return fmt.Sprintf("%d,%d,%d,%d,%d,%d", index, f.Captured, f.Session, key, f.Offset, f.Size)
}

func parseFrame(line string, index int) (Frame, error) {
	bad := fmt.Errorf("table of frames: line %q, want frame %d", line, index)
	cells := strings.Split(line, ",")
	if len(cells) != 6 {
		return Frame{}, bad
	}
	var n [6]int64
	for i, cell := range cells {
		var err error
		if n[i], err = strconv.ParseInt(cell, 10, 64); err != nil {
			return Frame{}, bad
		}
	}
	f := Frame{Captured: n[1], Session: n[2], Key: n[3] == 1, Offset: n[4], Size: int(n[5])}
	if f.Row(index) != line || f.Size < 0 || f.Offset < 0 {
		return Frame{}, bad
	}
	return f, nil
}

// At returns the index of the last frame that was captured at or before a session time, -1 for none; Key the
// one that a decoder must begin with to show it.
func At(frames []Frame, session int64) int {
	return sort.Search(len(frames), func(i int) bool { return frames[i].Session > session }) - 1
}

// KeyBefore returns the index of the last key frame at or before a frame, -1 for none.
func KeyBefore(frames []Frame, index int) int {
	for index >= 0 && !frames[index].Key {
		index--
	}
	return index
}

// maxSample bounds a frame, bytes.
const maxSample = 64 << 20

// Data returns a frame as its codec's decoder takes it: Annex B with four-byte start codes for H.264, the
// sample as it is for the others.
func (c *Case) Data(t Track, f Frame) ([]byte, error) {
	if from := c.fills[t.File]; from != nil && from.from != c {
		return from.from.Data(from.track, f)
	}
	if size := c.size(t.File); f.Size > maxSample || f.Offset > size || int64(f.Size) > size-f.Offset {
		return nil, fmt.Errorf("%s: a frame of %d bytes at byte %d of %d", t.File, f.Size, f.Offset, size)
	}
	data := make([]byte, f.Size)
	if err := c.ReadAt(t.File, data, f.Offset); err != nil {
		return nil, fmt.Errorf("%s at byte %d: %w", t.File, f.Offset, err)
	}
	if !strings.EqualFold(t.Codec, "video/H264") {
		return data, nil
	}
	// Both have four bytes before each unit: its length in the file, a start code for a decoder.
	for rest := data; len(rest) > 0; {
		if len(rest) < 4 {
			return nil, fmt.Errorf("%s at byte %d: a frame ends within a length", t.File, f.Offset)
		}
		n := int64(rest[0])<<24 | int64(rest[1])<<16 | int64(rest[2])<<8 | int64(rest[3])
		if n > int64(len(rest)-4) {
			return nil, fmt.Errorf("%s at byte %d: a unit is longer than its frame", t.File, f.Offset)
		}
		copy(rest, []byte{0, 0, 0, 1})
		rest = rest[4+n:]
	}
	return data, nil
}

// HasFile says whether a file of that name is sealed in the case.
func (c *Case) HasFile(name string) bool {
	return slices.ContainsFunc(c.Manifest.Files, func(f File) bool { return f.Name == name })
}

// maxKeyFile bounds the key of a case, bytes.
const maxKeyFile = 1 << 20

// ReadKeyFile reads the key of an encrypted case, as it is in the case.
func ReadKeyFile(path string) (key []byte, err error) {
	s, err := openSource(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	in, err := s.open(KeyFile)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(in, maxKeyFile))
}
