package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Sealer signs heads and enters them in the relay's transparency log.
type Sealer interface {
	// Sign returns a text as a signed note.
	Sign(text string) (string, error)
	// Enter puts a note in the log. since is the size of the tree that the case knows, 0 for none.
	Enter(signed string, since int64) (Logged, error)
	// Successions are how the key came to be: see OpenSuccession. None where it is the first.
	Successions() []string
}

// WriterConfig is what a Writer needs. All but Encrypt must be set.
type WriterConfig struct {
	About About
	Seal  Sealer
	// Clock returns session time in µs, which never runs backwards, and the wall clock.
	Clock func() (session int64, wall time.Time)
	// Encrypt makes a piece unreadable to who does not have the case's key; nil leaves it as it is.
	Encrypt func([]byte) ([]byte, error)
}

// MaxWaiting is how many bytes of a case wait for the disk at most: more than a minute of one picture.
const MaxWaiting = 64 << 20

// ErrBehind says that the disk is so far behind that what was to be appended is let go.
var ErrBehind = errors.New("the disk is too slow or full, and no more can wait for it")

// Chunk goes to the end of a file: whole fragments, or whole lines.
type Chunk struct {
	File     string
	Data     []byte
	From, To int64 // session time, µs
	Items    int   // frames or messages
}

// Writer writes a case. Append and Note may be called from any goroutine and do not wait for the disk; what
// they take is in the case when Commit has returned without error. Commit, Head and End belong to one goroutine.
type Writer struct {
	cfg   WriterConfig
	dir   string
	chain *os.File

	mu      sync.Mutex
	records []Record // before the pieces
	chunks  map[string]*waiting
	order   []string
	bytes   int

	// Owned by who commits.
	files    map[string]*os.File
	manifest Manifest
	n        uint64
	prev     string
	size     int64 // of the chain
	at       int64 // latest session time
	wall     time.Time
	sealed   bool  // nothing came since the last head
	tree     int64 // size of the tree that the case knows
}

// waiting is what waits to become a piece.
type waiting struct {
	data     []byte
	from, to int64
	items    int
}

// Create begins a case in a directory that is there and empty. Where it fails it takes both away: a chain without a
// beginning is no case.
func Create(dir string, cfg WriterConfig) (*Writer, error) {
	chain, err := os.OpenFile(filepath.Join(dir, ChainFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("begin a case: %w", err)
	}
	w := newWriter(dir, chain, cfg)
	about := cfg.About
	w.at, w.wall = cfg.Clock()
	err = w.write(Record{Kind: KindBegin, At: w.at, UTC: stampUTC(w.wall), Case: &about, Keys: cfg.Seal.Successions()})
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("begin a case: %w", errors.Join(err, chain.Close(), os.Remove(chain.Name()), os.Remove(dir)))
	}
	return w, nil
}

func newWriter(dir string, chain *os.File, cfg WriterConfig) *Writer {
	return &Writer{cfg: cfg, dir: dir, chain: chain, chunks: map[string]*waiting{}, files: map[string]*os.File{}, prev: zeroHash}
}

func stampUTC(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Append takes what belongs together: all of it goes into the same commit, or, with ErrBehind, none of it
// into any.
func (w *Writer) Append(chunks ...Chunk) error {
	size := 0
	for _, c := range chunks {
		size += len(c.Data)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bytes+size > MaxWaiting {
		return ErrBehind
	}
	w.bytes += size
	for _, c := range chunks {
		b := w.chunks[c.File]
		if b == nil {
			b = &waiting{from: c.From, to: c.To}
			w.chunks[c.File] = b
			w.order = append(w.order, c.File)
		}
		b.data = append(b.data, c.Data...)
		b.from, b.to, b.items = min(b.from, c.From), max(b.to, c.To), b.items+c.Items
	}
	return nil
}

// Note takes a record of a track, a gap or a consent.
func (w *Writer) Note(r Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, r)
}

// Commit writes what waits to the disk and chains it. Where it fails, all of it waits on, and nothing of it
// is in the case.
func (w *Writer) Commit() error {
	w.mu.Lock()
	records, chunks, order, size := w.records, w.chunks, w.order, w.bytes
	w.records, w.chunks, w.order = nil, map[string]*waiting{}, nil
	w.mu.Unlock()
	if len(records) == 0 && len(order) == 0 {
		return nil
	}
	err := w.commit(records, chunks, order)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.putBack(records, chunks, order)
		return err
	}
	w.bytes -= size
	return nil
}

// putBack puts what could not be written before what came since. The caller holds mu.
func (w *Writer) putBack(records []Record, chunks map[string]*waiting, order []string) {
	w.records = append(records, w.records...)
	for _, name := range w.order {
		later := w.chunks[name]
		b := chunks[name]
		if b == nil {
			chunks[name], order = later, append(order, name)
			continue
		}
		b.data = append(b.data, later.data...)
		b.from, b.to, b.items = min(b.from, later.from), max(b.to, later.to), b.items+later.items
	}
	w.chunks, w.order = chunks, order
}

func (w *Writer) commit(records []Record, chunks map[string]*waiting, order []string) error {
	all := slices.Clone(records)
	if len(order) > 0 {
		pieces, err := w.pieces(chunks, order)
		if err != nil {
			return err
		}
		all = append(all, Record{Kind: KindPieces, Pieces: pieces})
	}
	return w.writeNow(all...)
}

// writeNow appends records with the time, and says before them where the wall clock was set.
func (w *Writer) writeNow(records ...Record) error {
	at, wall, jump := w.clock()
	if jump != 0 {
		records = append([]Record{{Kind: KindClock, Jump: jump}}, records...)
	}
	for i := range records {
		records[i].At, records[i].UTC = at, stampUTC(wall)
	}
	if err := w.write(records...); err != nil {
		return err
	}
	w.at, w.wall = at, wall
	return nil
}

// clockSlack is by how much the wall clock may gain or lose against session time between two records, µs:
// a clock that is slewed loses or gains less.
const clockSlack = 500_000

// clock reads the clocks. jump is by how much the wall clock was set since the last record, µs.
func (w *Writer) clock() (at int64, wall time.Time, jump int64) {
	at, wall = w.cfg.Clock()
	at = max(at, w.at)
	wall = wall.UTC().Round(0)
	jump = wall.Sub(w.wall.Round(0)).Microseconds() - (at - w.at)
	if jump >= -clockSlack && jump <= clockSlack {
		jump = 0
		if wall.Before(w.wall) {
			wall = w.wall
		}
	}
	return at, wall, jump
}

// pieces writes what waits to the ends of the files.
func (w *Writer) pieces(chunks map[string]*waiting, order []string) ([]Piece, error) {
	var pieces []Piece
	for _, name := range order {
		b := chunks[name]
		data := b.data
		p := Piece{File: name, Offset: w.manifest.size(name), From: b.from, To: b.to, Items: b.items}
		if w.cfg.Encrypt != nil && !alwaysPlain(name) {
			var err error
			p.Plain = int64(len(data))
			if data, err = w.cfg.Encrypt(data); err != nil {
				return nil, fmt.Errorf("encrypt a piece of %s: %w", name, err)
			}
		}
		sum := sha256.Sum256(data)
		p.Size, p.SHA256 = int64(len(data)), hex.EncodeToString(sum[:])
		if err := w.writePiece(name, p.Offset, data); err != nil {
			return nil, err
		}
		pieces = append(pieces, p)
	}
	return pieces, nil
}

func (w *Writer) writePiece(name string, offset int64, data []byte) error {
	f := w.files[name]
	if f == nil {
		var err error
		if f, err = os.OpenFile(filepath.Join(w.dir, name), os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
			return err
		}
		w.files[name] = f
		if err := syncDir(w.dir); err != nil {
			return err
		}
	}
	_, err := f.WriteAt(data, offset)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Truncate(offset))
	}
	return nil
}

// write appends records to the chain, all or none.
func (w *Writer) write(records ...Record) error {
	n, prev := w.n, w.prev
	var out []byte
	for i := range records {
		records[i].N, records[i].Prev = n, prev
		line, err := records[i].encode()
		if err != nil {
			return err
		}
		out = append(append(out, line...), '\n')
		n, prev = n+1, hashOf(line)
	}
	_, err := w.chain.WriteAt(out, w.size)
	if err == nil {
		err = w.chain.Sync()
	}
	if err != nil {
		return errors.Join(err, w.chain.Truncate(w.size))
	}
	w.n, w.prev, w.size, w.sealed = n, prev, w.size+int64(len(out)), false
	for _, r := range records {
		w.manifest.take(r)
	}
	return nil
}

// Head signs the chain as far as it is written and enters it in the transparency log. It does nothing where
// nothing came since the last.
func (w *Writer) Head() error {
	if w.sealed {
		return nil
	}
	signed, err := w.cfg.Seal.Sign(Head{Case: w.cfg.About.ID, N: w.n - 1, Hash: w.prev}.Text())
	if err != nil {
		return fmt.Errorf("sign the head: %w", err)
	}
	logged, err := w.cfg.Seal.Enter(signed, w.tree)
	if err != nil {
		return fmt.Errorf("enter the head in the transparency log: %w", err)
	}
	if err := w.write(Record{Kind: KindHead, Note: signed}, Record{Kind: KindLogged, Logged: &logged}); err != nil {
		return err
	}
	tree, err := ParseCheckpoint(noteText(logged.Checkpoint))
	if err != nil {
		return err
	}
	w.tree, w.sealed = tree.N, true
	return nil
}

// Waiting is how many bytes wait for the disk.
func (w *Writer) Waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bytes
}
