package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"sightline/relay/evidence"
)

// Seal signs, and keeps the transparency log. Its methods may be called from any goroutine; other processes
// may use the same directory at the same time.
type Seal struct {
	dir  string
	name string
	mu   sync.Mutex // of the log, in this process

	keyMu sync.Mutex
	key   *key
	seen  time.Time // when the file of the key was changed last
}

// Open opens the seal under a data directory, and makes key and log where there are none; name is the key's.
func Open(data, name string) (*Seal, error) {
	s := &Seal{dir: Dir(data), name: name}
	err := os.MkdirAll(filepath.Join(s.dir, "log"), 0o755)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	err = s.locked(func() error {
		_, err := s.current()
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// current is the key of now: it may have been changed by another process.
func (s *Seal) current() (*key, error) {
	s.keyMu.Lock()
	defer s.keyMu.Unlock()
	info, err := os.Stat(filepath.Join(s.dir, "key"))
	if err == nil && s.key != nil && info.ModTime().Equal(s.seen) {
		return s.key, nil
	}
	if err == nil {
		s.seen = info.ModTime()
	}
	k, err := openKey(s.dir, s.name)
	if err != nil && s.key != nil {
		return s.key, nil // it is being changed
	}
	if err == nil {
		s.key = k
	}
	return k, err
}

// Signer signs with one key, whatever becomes of the seal's: a case is signed by one from its beginning to its end.
type Signer struct {
	seal *Seal
	key  *key
}

// Signer returns the signer of now.
func (s *Seal) Signer() *Signer {
	k, err := s.current()
	if err != nil {
		k = s.key // Open has read one
	}
	return &Signer{s, k}
}

// Key is the line that verifies what is signed.
func (s *Signer) Key() string { return s.key.public }

// Successions are how the key came to be, the first first.
func (s *Signer) Successions() []string { return s.key.successions }

// Sign returns a text as a signed note.
func (s *Signer) Sign(text string) (string, error) {
	signed, err := note.Sign(&note.Note{Text: text}, s.key.signer)
	return string(signed), err
}

// Enter puts a note into the transparency log.
func (s *Signer) Enter(signed string, since int64) (evidence.Logged, error) {
	return s.seal.enter(signed, since, s.Sign)
}

// Key is the line that verifies what is signed from now on.
func (s *Seal) Key() string { return s.Signer().Key() }

// Successions are how the key came to be, the first first.
func (s *Seal) Successions() []string { return s.Signer().Successions() }

// Sign returns a text as a note, signed with the key of now.
func (s *Seal) Sign(text string) (string, error) { return s.Signer().Sign(text) }

// Enter puts a note into the transparency log, durably, and proves that it is there and that the log only
// grew since it had since entries.
func (s *Seal) Enter(signed string, since int64) (evidence.Logged, error) {
	return s.Signer().Enter(signed, since)
}

func (s *Seal) enter(signed string, since int64, sign func(string) (string, error)) (evidence.Logged, error) {
	var l evidence.Logged
	err := s.locked(func() error {
		t, err := openTree(filepath.Join(s.dir, "log"))
		if err != nil {
			return err
		}
		l, err = t.enter([]byte(signed), since, sign)
		return errors.Join(err, t.close())
	})
	if err != nil {
		return evidence.Logged{}, fmt.Errorf("transparency log: %w", err)
	}
	return l, nil
}

// locked runs f while nobody else, in this process or another, has the log.
func (s *Seal) locked(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	lock, err := os.OpenFile(filepath.Join(s.dir, "log", "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close() // which unlocks
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	return f()
}

// tree is the log while it is open.
type tree struct {
	dir             string
	entries, hashes *os.File
	n               int64 // entries
	end             int64 // of the entries, bytes
}

func openTree(dir string) (*tree, error) {
	t := &tree{dir: dir}
	var err error
	if t.entries, err = os.OpenFile(filepath.Join(dir, "entries"), os.O_CREATE|os.O_RDWR, 0o644); err != nil {
		return nil, err
	}
	if t.hashes, err = os.OpenFile(filepath.Join(dir, "hashes"), os.O_CREATE|os.O_RDWR, 0o644); err != nil {
		return nil, errors.Join(err, t.entries.Close())
	}
	if err := t.size(); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (t *tree) close() error { return errors.Join(t.entries.Close(), t.hashes.Close()) }

// size finds how many entries the checkpoint vouches for, and where they end. What a crash left after them
// was never vouched for and is written over.
func (t *tree) size() error {
	signed, err := os.ReadFile(filepath.Join(t.dir, "checkpoint"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	head, err := evidence.ParseCheckpoint(string(text) + "\n")
	if err != nil {
		return fmt.Errorf("the checkpoint %w", err)
	}
	t.n = head.N
	root, err := tlog.TreeHash(t.n, t)
	if err != nil || root != head.Hash {
		return fmt.Errorf("the tree does not have the root that its checkpoint signs (%v); restore DATA/seal/log from a copy", err)
	}
	t.end, err = t.find(t.n)
	return err
}

// find returns where n entries end: by the hint in the file end, or, where that is of another tree, by reading.
func (t *tree) find(n int64) (int64, error) {
	raw, err := os.ReadFile(filepath.Join(t.dir, "end"))
	if err == nil && len(raw) == 16 && int64(binary.BigEndian.Uint64(raw)) == n {
		return int64(binary.BigEndian.Uint64(raw[8:])), nil
	}
	at := int64(0)
	for range n {
		var head [4]byte
		if _, err := t.entries.ReadAt(head[:], at); err != nil {
			return 0, fmt.Errorf("entries: %w", err)
		}
		at += 4 + int64(binary.BigEndian.Uint32(head[:]))
	}
	return at, nil
}

// ReadHashes reads stored hashes; it makes a tree a tlog.HashReader.
func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if _, err := t.hashes.ReadAt(out[i][:], index*tlog.HashSize); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *tree) enter(data []byte, since int64, sign func(string) (string, error)) (evidence.Logged, error) {
	hashes, err := tlog.StoredHashes(t.n, data, t)
	if err != nil {
		return evidence.Logged{}, err
	}
	if err := t.store(data, hashes); err != nil {
		return evidence.Logged{}, err
	}
	n := t.n + 1
	root, err := tlog.TreeHash(n, t)
	if err != nil {
		return evidence.Logged{}, err
	}
	l := evidence.Logged{Index: t.n}
	if l.Proof, err = tlog.ProveRecord(n, l.Index, t); err != nil {
		return evidence.Logged{}, err
	}
	if since > 0 {
		if l.Consistency, err = tlog.ProveTree(n, since, t); err != nil {
			return evidence.Logged{}, err
		}
	}
	if l.Checkpoint, err = sign(evidence.CheckpointText(tlog.Tree{N: n, Hash: root})); err != nil {
		return evidence.Logged{}, err
	}
	return l, t.commit(l.Checkpoint, n, t.end+4+int64(len(data)))
}

// store writes an entry and its hashes behind those that the checkpoint vouches for.
func (t *tree) store(data []byte, hashes []tlog.Hash) error {
	entry := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	if _, err := t.entries.WriteAt(append(entry, data...), t.end); err != nil {
		return err
	}
	var raw []byte
	for _, h := range hashes {
		raw = append(raw, h[:]...)
	}
	if _, err := t.hashes.WriteAt(raw, tlog.StoredHashCount(t.n)*tlog.HashSize); err != nil {
		return err
	}
	return errors.Join(t.entries.Sync(), t.hashes.Sync())
}

// commit makes the new checkpoint hold.
func (t *tree) commit(checkpoint string, n, end int64) error {
	if err := replace(filepath.Join(t.dir, "checkpoint"), []byte(checkpoint)); err != nil {
		return err
	}
	raw := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(n)), uint64(end))
	return os.WriteFile(filepath.Join(t.dir, "end"), raw, 0o644) // a hint: it is checked, and found again by reading
}

// replace writes a file so that it is either the old or the new one, whatever happens.
func replace(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Entries calls fn with every entry of the log, after the tree over them was checked.
func (s *Seal) Entries(fn func(index int64, signed string) error) error {
	return s.locked(func() error {
		t, err := openTree(filepath.Join(s.dir, "log"))
		if err != nil {
			return err
		}
		return errors.Join(t.each(fn), t.close())
	})
}

func (t *tree) each(fn func(int64, string) error) error {
	in := io.NewSectionReader(t.entries, 0, t.end)
	for i := range t.n {
		var head [4]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		data := make([]byte, min(binary.BigEndian.Uint32(head[:]), 1<<20))
		if _, err := io.ReadFull(in, data); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		stored, err := t.ReadHashes([]int64{tlog.StoredHashIndex(0, i)})
		if err != nil || stored[0] != tlog.RecordHash(data) {
			return fmt.Errorf("entry %d is not what the tree holds", i)
		}
		if err := fn(i, string(data)); err != nil {
			return err
		}
	}
	return nil
}
