package evidence_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/evidence"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

var tries = flag.Int("tamper", 800, "how often to change a case")

func TestMain(m *testing.M) { relaytest.Main(m) }

// recorded makes a case as a session does: a camera that drops and comes back, sound, marks and poses, for long
// enough that it has several heads.
func recorded(t testing.TB) (dir, key string) {
	t.Helper()
	data := t.TempDir()
	s, err := server.Start(t.Context(), server.Config{Listen: "127.0.0.1:0", MQTTAddr: "127.0.0.1:0", Data: data, Log: relaytest.Logger(t)})
	must(t, err)
	token := relaytest.Token(t, s.Authority(), "field", "Tom")
	end := time.Now().Add(11 * time.Second)
	for round := 0; round < 2 || time.Now().Before(end); round++ {
		camera, track := relaytest.NewCamera()
		field := relaytest.Join(t, client.Config{URL: s.URL(), Token: token, Instance: "tom", Publish: []client.Track{track, {Name: "mic", Kind: wire.Audio}}})
		camera.Play(field.Video("camera"))
		for i := range 100 {
			_ = field.Audio("mic").WriteOpus([]byte{0xfc, 0xff, 0xfe}, time.Now().UnixMicro(), 20*time.Millisecond)
			_ = field.SendPose(int64(i), "pose")
			if _, err := field.Publish(wire.KindMark, fmt.Sprint("m-", round, i), 7, map[string]int{"x": i}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(40 * time.Millisecond)
		}
		camera.Stop()
		field.Close()
	}
	s.Close()
	dirs, err := filepath.Glob(filepath.Join(data, "recordings", "hall", "*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("%q %v", dirs, err)
	}
	pub, err := os.ReadFile(filepath.Join(data, "seal", "key.pub"))
	must(t, err)
	return dirs[0], string(pub)
}

// content is a case in memory: its files, or its one archive.
type content map[string][]byte

func load(t testing.TB, dir string) content {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	c := content{}
	for _, e := range entries {
		c[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name()))
		must(t, err)
	}
	return c
}

// sync makes a folder hold c; was is what it holds.
func (c content) sync(t testing.TB, dir string, was content) {
	t.Helper()
	for name := range was {
		if _, ok := c[name]; !ok {
			must(t, os.Remove(filepath.Join(dir, name)))
		}
	}
	for name, data := range c {
		if old, ok := was[name]; !ok || !bytes.Equal(old, data) {
			must(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
		}
	}
}

// some returns a file at random, the chain as often as all others together.
func (c content) some(r *rand.Rand) string {
	names := slices.Sorted(maps.Keys(c))
	if _, ok := c[evidence.ChainFile]; ok && r.IntN(2) == 0 {
		return evidence.ChainFile
	}
	return names[r.IntN(len(names))]
}

// span returns a run of bytes of a file at random, short or long.
func span(r *rand.Rand, data []byte) (from, to int) {
	from = r.IntN(len(data))
	return from, from + 1 + r.IntN(min(len(data)-from, 1<<r.IntN(16)))
}

// change changes a case in one way; it returns false where that changed nothing.
type change struct {
	name string
	do   func(r *rand.Rand, c content)
}

var changes = []change{
	{"flip a bit", func(r *rand.Rand, c content) {
		data := c[c.some(r)]
		data[r.IntN(len(data))] ^= 1 << r.IntN(8)
	}},
	{"write over bytes", func(r *rand.Rand, c content) {
		data := c[c.some(r)]
		from, to := span(r, data)
		for i := from; i < to; i++ {
			data[i] = byte(r.Uint32())
		}
	}},
	{"drop bytes", func(r *rand.Rand, c content) {
		name := c.some(r)
		from, to := span(r, c[name])
		c[name] = slices.Delete(c[name], from, to)
	}},
	{"insert bytes", func(r *rand.Rand, c content) {
		name := c.some(r)
		from, to := span(r, c[name])
		c[name] = slices.Insert(c[name], from, bytes.Clone(c[name][from:to])...)
	}},
	{"swap bytes", func(r *rand.Rand, c content) {
		data := c[c.some(r)]
		n := 1 + r.IntN(max(len(data)/4, 1))
		if len(data) < 2*n {
			return
		}
		a := r.IntN(len(data) - 2*n + 1)
		b := a + n + r.IntN(len(data)-2*n-a+1)
		for i := range n {
			data[a+i], data[b+i] = data[b+i], data[a+i]
		}
	}},
	{"truncate a file", func(r *rand.Rand, c content) {
		name := c.some(r)
		c[name] = c[name][:r.IntN(len(c[name]))]
	}},
	{"append bytes", func(r *rand.Rand, c content) {
		name := c.some(r)
		from, to := span(r, c[name])
		c[name] = append(c[name], bytes.Clone(c[name][from:to])...)
	}},
}

// ofFolders are the changes that need the files.
var ofFolders = []change{
	{"remove a file", func(r *rand.Rand, c content) { delete(c, c.some(r)) }},
	{"add a file", func(r *rand.Rand, c content) { c[fmt.Sprintf("x%d.mp4", r.IntN(100))] = []byte("x") }},
	{"rename a file", func(r *rand.Rand, c content) {
		name := c.some(r)
		c["x"+name] = c[name]
		delete(c, name)
	}},
	{"swap two files", func(r *rand.Rand, c content) {
		a, b := c.some(r), c.some(r)
		c[a], c[b] = c[b], c[a]
	}},
	{"drop a record", func(r *rand.Rand, c content) {
		c.records(func(l []string) []string { i := r.IntN(len(l)); return slices.Delete(l, i, i+1) })
	}},
	{"drop the last records", func(r *rand.Rand, c content) {
		c.records(func(l []string) []string { return l[:len(l)-1-r.IntN(min(8, len(l)-1))] })
	}},
	{"swap two records", func(r *rand.Rand, c content) {
		c.records(func(l []string) []string { a, b := r.IntN(len(l)), r.IntN(len(l)); l[a], l[b] = l[b], l[a]; return l })
	}},
	{"repeat a record", func(r *rand.Rand, c content) {
		c.records(func(l []string) []string { i := r.IntN(len(l)); return slices.Insert(l, r.IntN(len(l)+1), l[i]) })
	}},
	{"end the case at a head", endAtHead},
	{"end the case at a head, and take the last end", func(r *rand.Rand, c content) {
		all := c.lines()
		endAtHead(r, c)
		c.records(func(l []string) []string { return append(l, all[len(all)-3:]...) })
	}},
}

func (c content) lines() []string {
	return strings.Split(strings.TrimSuffix(string(c[evidence.ChainFile]), "\n"), "\n")
}

func (c content) records(f func([]string) []string) {
	if l := f(c.lines()); len(l) > 0 {
		c[evidence.ChainFile] = []byte(strings.Join(l, "\n") + "\n")
	} else {
		c[evidence.ChainFile] = nil
	}
}

// endAtHead cuts the chain after a head, and the files to what it names, as somebody would who wants the end gone.
func endAtHead(r *rand.Rand, c content) {
	l := c.lines()
	var heads []int
	for i, line := range l[:len(l)-1] {
		if strings.Contains(line, `"kind":"logged"`) {
			heads = append(heads, i)
		}
	}
	if len(heads) == 0 {
		return
	}
	c.records(func(l []string) []string { return l[:heads[r.IntN(len(heads))]+1] })
	sizes := map[string]int{}
	for _, line := range c.lines() {
		for _, p := range pieces(line) {
			sizes[p.File] = int(p.Offset + p.Size)
		}
	}
	for name := range c {
		if n, ok := sizes[name]; ok {
			c[name] = c[name][:n]
		} else if name != evidence.ChainFile {
			delete(c, name)
		}
	}
}

// score counts what became of a kind of change.
type score struct{ tried, found int }

// Every change of a real case, as a folder and as an archive, is found, and no untouched case is accused.
func TestTampering(t *testing.T) {
	dir, key := recorded(t)
	proven(t, dir, key)
	zip := filepath.Join(t.TempDir(), "case.zip")
	pack(t, dir, zip)
	folder, archive := load(t, dir), load(t, filepath.Dir(zip))
	scores := map[string]*score{}
	untouched, accused := 0, 0
	for i := range *tries {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		all, whole, path, target := append(slices.Clone(changes), ofFolders...), folder, dir, dir
		if i%4 == 3 {
			all, whole, path, target = changes, archive, filepath.Dir(zip), zip
		}
		k := all[r.IntN(len(all))]
		c := content{}
		for name, data := range whole {
			c[name] = bytes.Clone(data)
		}
		k.do(r, c)
		if maps.EqualFunc(c, whole, bytes.Equal) {
			continue // nothing was changed
		}
		name := k.name + map[bool]string{true: ", archive"}[target == zip]
		if scores[name] == nil {
			scores[name] = &score{}
		}
		scores[name].tried++
		c.sync(t, path, whole)
		report, err := evidence.Verify(target, evidence.VerifyConfig{Key: key})
		if err != nil || !report.Proven {
			scores[name].found++
		} else {
			t.Errorf("try %d, %s, is not found", i, name)
		}
		whole.sync(t, path, c)
		if i%10 == 0 {
			untouched++
			if !verify(t, target, key).Proven {
				accused++
			}
		}
	}
	table(t, scores, untouched, accused)
}

func table(t *testing.T, scores map[string]*score, untouched, accused int) {
	var b strings.Builder
	var all score
	for _, name := range slices.Sorted(maps.Keys(scores)) {
		s := scores[name]
		fmt.Fprintf(&b, "| %s | %d | %d |\n", name, s.tried, s.found)
		all.tried, all.found = all.tried+s.tried, all.found+s.found
	}
	t.Logf("\n| change | tried | found |\n|---|---|---|\n%s| all | %d | %d |\n%d untouched, %d of them falsely accused", b.String(), all.tried, all.found, untouched, accused)
	if accused > 0 {
		t.Errorf("%d untouched cases were accused", accused)
	}
}

func pieces(line string) []evidence.Piece {
	r, err := evidence.ParseRecord([]byte(line))
	if err != nil {
		return nil
	}
	return r.Pieces
}
