package evidence_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
	"sightline/relay/wire"
)

// clock is session time and a wall clock that a test moves.
type clock struct {
	session int64
	wall    time.Time
}

func (c *clock) now() (int64, time.Time) { return c.session, c.wall }

func (c *clock) pass(d time.Duration) { c.session += d.Microseconds(); c.wall = c.wall.Add(d) }

func newClock() *clock { return &clock{1000, time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)} }

func newSeal(t testing.TB) *seal.Seal {
	t.Helper()
	s, err := seal.Open(t.TempDir(), seal.Relay)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func config(s *seal.Seal, c *clock) evidence.WriterConfig {
	return evidence.WriterConfig{Seal: s, Clock: c.now, About: evidence.About{Format: evidence.Format, ID: "case-1", Room: "hall",
		SessionBegan: 1, Start: c.session, UTC: c.wall.Format(time.RFC3339), Key: s.Key()}}
}

func begin(t testing.TB, s *seal.Seal, c *clock) (*evidence.Writer, string) {
	t.Helper()
	dir := t.TempDir()
	w, err := evidence.Create(dir, config(s, c))
	if err != nil {
		t.Fatal(err)
	}
	return w, dir
}

// say appends messages to the log and commits them.
func say(t testing.TB, w *evidence.Writer, c *clock, first, n int) {
	t.Helper()
	for i := range n {
		e := wire.Envelope{V: 1, Kind: wire.KindChat, Msg: fmt.Sprint("m", first+i), From: "p-1", Time: c.session, Seq: uint64(first + i)}
		data, err := e.Encode()
		if err == nil {
			err = w.Append(evidence.Chunk{File: evidence.LogFile, Data: append(data, '\n'), From: c.session, To: c.session, Items: 1})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c.pass(time.Second)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

func verify(t testing.TB, path, key string) *evidence.Report {
	t.Helper()
	r, err := evidence.Verify(path, evidence.VerifyConfig{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func proven(t testing.TB, path, key string) *evidence.Report {
	t.Helper()
	r := verify(t, path, key)
	if !r.Proven {
		t.Fatalf("%s is not proven: %+v", filepath.Base(path), r.Faults)
	}
	return r
}

// made is a closed case of some pieces and heads.
func made(t testing.TB, s *seal.Seal) string {
	t.Helper()
	c := newClock()
	w, dir := begin(t, s, c)
	for i := range 6 {
		say(t, w, c, 1+3*i, 3)
		if i%2 == 1 {
			if err := w.Head(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.End(nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestACaseIsProven(t *testing.T) {
	s := newSeal(t)
	dir := made(t, s)
	r := proven(t, dir, s.Key())
	if r.Messages != 18 || r.Heads != 4 || r.Pieces != 7 || r.Files != 2 || r.ClosedBy != "relay" || len(r.Remarks) != 0 {
		t.Errorf("%+v", r)
	}
	path := filepath.Join(t.TempDir(), "case.zip")
	pack(t, dir, path)
	if again := proven(t, path, s.Key()); again.Messages != 18 {
		t.Errorf("archive: %+v", again)
	}
}

func pack(t testing.TB, dir, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err == nil {
		err = errors.Join(evidence.Pack(dir, f), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Each kind of fault is found, and called by its name.
func TestFaultsHaveNames(t *testing.T) {
	s, other := newSeal(t), newSeal(t)
	cases := []struct {
		name, kind string
		do         func(t *testing.T, dir string)
	}{
		{"a byte of the log", evidence.Changed, func(t *testing.T, dir string) { flip(t, filepath.Join(dir, evidence.LogFile), 40) }},
		{"a byte of the chain", evidence.Changed, func(t *testing.T, dir string) { flip(t, filepath.Join(dir, evidence.ChainFile), 400) }},
		{"the log gone", evidence.Missing, func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, evidence.LogFile))) }},
		{"a record gone", evidence.Missing, func(t *testing.T, dir string) {
			lines(t, dir, func(l []string) []string { return append(l[:2:2], l[3:]...) })
		}},
		{"a record twice", evidence.Added, func(t *testing.T, dir string) {
			lines(t, dir, func(l []string) []string { return append(l[:3:3], l[2:]...) })
		}},
		{"records swapped", evidence.Reordered, func(t *testing.T, dir string) {
			lines(t, dir, func(l []string) []string { l[2], l[3] = l[3], l[2]; return l })
		}},
		{"the end gone", evidence.NotClosed, func(t *testing.T, dir string) { lines(t, dir, func(l []string) []string { return l[:6] }) }},
		{"the last head gone", evidence.Truncated, func(t *testing.T, dir string) { lines(t, dir, func(l []string) []string { return l[:len(l)-2] }) }},
		{"the proof gone", evidence.Truncated, func(t *testing.T, dir string) { lines(t, dir, func(l []string) []string { return l[:len(l)-1] }) }},
		{"a file more", evidence.Added, func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "x.mp4"), nil, 0o600))
		}},
		{"a folder more", evidence.Added, func(t *testing.T, dir string) { must(t, os.Mkdir(filepath.Join(dir, "x"), 0o700)) }},
		{"the log cut", evidence.Truncated, func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, evidence.LogFile), 100)) }},
		{"the log longer", evidence.Added, func(t *testing.T, dir string) { grow(t, filepath.Join(dir, evidence.LogFile)) }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := made(t, s)
			c.do(t, dir)
			r := verify(t, dir, s.Key())
			if r.Proven || len(r.Faults) == 0 || r.Faults[0].Kind != c.kind {
				t.Errorf("want first a fault of kind %q: %+v", c.kind, r.Faults)
			}
		})
	}
	r := verify(t, made(t, s), other.Key())
	if r.Proven || r.Faults[0].Kind != evidence.WrongKey {
		t.Errorf("another key: %+v", r.Faults)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func flip(t testing.TB, path string, at int) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	data[at] ^= 4
	must(t, os.WriteFile(path, data, 0o600))
}

func grow(t testing.TB, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, append(data, '\n'), 0o600))
}

func lines(t testing.TB, dir string, change func([]string) []string) {
	t.Helper()
	path := filepath.Join(dir, evidence.ChainFile)
	data, err := os.ReadFile(path)
	must(t, err)
	l := change(strings.SplitAfter(strings.TrimSuffix(string(data), "\n"), "\n"))
	l[len(l)-1] = strings.TrimSuffix(l[len(l)-1], "\n") + "\n"
	must(t, os.WriteFile(path, []byte(strings.Join(l, "")), 0o600))
}

// A case that was left open is told from a closed one, and recovery closes it wherever it stopped.
func TestRecovery(t *testing.T) {
	s, c := newSeal(t), newClock()
	w, dir := begin(t, s, c)
	say(t, w, c, 1, 3)
	must(t, w.Head())
	say(t, w, c, 4, 3)
	must(t, w.Close())
	r := verify(t, dir, s.Key())
	if r.Proven || r.Faults[0].Kind != evidence.NotClosed {
		t.Fatalf("open: %+v", r.Faults)
	}
	grow(t, filepath.Join(dir, evidence.LogFile))
	f, err := os.OpenFile(filepath.Join(dir, evidence.ChainFile), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(`{"n":7,"prev"`)
	must(t, errors.Join(err, f.Close()))

	c.wall = c.wall.Add(time.Hour)
	must(t, evidence.Recover(dir, config(s, c), nil))
	r = proven(t, dir, s.Key())
	if r.ClosedBy != "recovery" || r.Messages != 6 || len(r.Remarks) != 1 {
		t.Errorf("%+v", r)
	}
	if err := evidence.Recover(dir, config(s, c), nil); !errors.Is(err, evidence.ErrClosed) {
		t.Errorf("again: %v", err)
	}
	proven(t, dir, s.Key())
}

// The wall clock may be set, if the recorder says so.
func TestClockIsSet(t *testing.T) {
	s, c := newSeal(t), newClock()
	w, dir := begin(t, s, c)
	say(t, w, c, 1, 1)
	c.wall = c.wall.Add(-time.Hour)
	say(t, w, c, 2, 1)
	say(t, w, c, 3, 1)
	must(t, w.End(nil))
	if r := proven(t, dir, s.Key()); len(r.Remarks) != 1 || !strings.Contains(r.Remarks[0], "-1h") {
		t.Errorf("%q", r.Remarks)
	}
}

// What cannot be written waits, and is in the case when there is space again.
func TestDiskThatFailsForATime(t *testing.T) {
	s, c := newSeal(t), newClock()
	w, dir := begin(t, s, c)
	say(t, w, c, 1, 2)
	blocked := filepath.Join(dir, "x.frames.csv")
	must(t, os.Mkdir(blocked, 0o700)) // no file of that name can be opened
	must(t, w.Append(evidence.Chunk{File: "x.frames.csv", Data: []byte("a\n"), Items: 1}))
	for i := range 3 {
		e := wire.Envelope{V: 1, Kind: wire.KindChat, Msg: "m", From: "p", Time: c.session, Seq: uint64(3 + i)}
		data, _ := e.Encode()
		must(t, w.Append(evidence.Chunk{File: evidence.LogFile, Data: append(data, '\n'), From: c.session, To: c.session, Items: 1}))
		if w.Commit() == nil {
			t.Fatal("a folder was written to")
		}
	}
	must(t, os.Remove(blocked))
	must(t, w.Commit())
	must(t, w.End(nil))
	if r := proven(t, dir, s.Key()); r.Messages != 5 {
		t.Errorf("%+v", r)
	}
}

// What waits for the disk is bounded.
func TestWaitingIsBounded(t *testing.T) {
	w, _ := begin(t, newSeal(t), newClock())
	defer w.Close()
	big := make([]byte, evidence.MaxWaiting)
	must(t, w.Append(evidence.Chunk{File: "a", Data: big}))
	if err := w.Append(evidence.Chunk{File: "a", Data: big[:1]}); !errors.Is(err, evidence.ErrBehind) {
		t.Error(err)
	}
}

// What is deleted leaves a tombstone: the chain, which is proven, and says who and why. It cannot be taken back.
func TestDelete(t *testing.T) {
	s, c := newSeal(t), newClock()
	dir := made(t, s)
	must(t, evidence.Delete(dir, config(s, c), "Ann", "the customer asked for it"))
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Fatalf("%v %v", names, err)
	}
	r := verify(t, dir, s.Key())
	if len(r.Faults) != 1 || r.Faults[0].Kind != evidence.Deleted || !strings.Contains(r.Faults[0].Text, "by Ann: the customer") {
		t.Errorf("%+v", r.Faults)
	}
	if ended, err := evidence.Ended(dir); err != nil || !ended {
		t.Errorf("%t %v", ended, err)
	}
	must(t, evidence.Delete(dir, config(s, c), "Bob", "again"))
	if again := verify(t, dir, s.Key()); len(again.Faults) != 1 || again.Records != r.Records {
		t.Errorf("%+v", again.Faults)
	}
	lines(t, dir, func(l []string) []string { return l[:len(l)-3] })
	if r := verify(t, dir, s.Key()); len(r.Faults) == 0 || r.Faults[0].Kind != evidence.Missing {
		t.Errorf("without the tombstone: %+v", r.Faults)
	}
}

// A case that has not begun is none: neither where its first record could not be written, nor after a crash.
func TestNoCaseWithoutABeginning(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "case")
	cfg := config(newSeal(t), newClock())
	for name, begin := range map[string]func() error{
		"not written": func() error {
			var full syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
				return err
			}
			none := full
			none.Cur = 0
			signal.Ignore(syscall.SIGXFSZ)
			defer signal.Reset(syscall.SIGXFSZ)
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &none); err != nil {
				return err
			}
			_, err := evidence.Create(dir, cfg)
			return errors.Join(err, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full))
		},
		"torn": func() error {
			if err := os.WriteFile(filepath.Join(dir, evidence.ChainFile), []byte(`{"n":0`), 0o644); err != nil {
				return err
			}
			return evidence.Recover(dir, cfg, nil)
		},
	} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := begin(); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: it is there still (%v)", name, err)
		}
	}
}
