package evidence

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"sightline/relay/wire"
)

// line is a record as a relay writes it.
const line = `{"n":1,"prev":"00","kind":"pieces","at":5,"utc":"2026-03-01T08:00:00Z","pieces":[{"file":"log.jsonl","offset":0,"size":4,"sha256":"00","from":1,"to":2,"items":1}]}`

// A record that is taken is written as it was read.
func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(line))
	f.Add([]byte(`{"n":0,"prev":"","kind":"begin","case":{"format":1,"id":"c","room":"r","session_began":0,"start":0,"utc":"","key":""}}`))
	f.Add([]byte(`{"n":0,"prev":"","kind":"logged","logged":{"index":0,"proof":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="],"checkpoint":""}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseRecord(data)
		if err != nil {
			return
		}
		if again, err := r.encode(); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%s\n%s %v", data, again, err)
		}
	})
}

// Texts that are signed have one way to be written.
func FuzzNotes(f *testing.F) {
	f.Add(Head{"c", 3, "ab"}.Text())
	f.Add(Origin + "\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
	f.Fuzz(func(t *testing.T, text string) {
		if h, err := ParseHead(text); err == nil && h.Text() != text {
			t.Errorf("%q", text)
		}
		if c, err := ParseCheckpoint(text); err == nil && CheckpointText(c) != text {
			t.Errorf("%q", text)
		}
	})
}

// Whatever a chain, a log and a table say, reading them ends, and proves nothing.
func FuzzCase(f *testing.F) {
	begin := `{"n":0,"prev":"` + zeroHash + `","kind":"begin","case":{"format":1,"id":"c","room":"r","session_began":0,"start":0,"utc":"","key":""}}`
	track := `{"n":1,"prev":"00","kind":"track","track":{"file":"a.mp4","table":"a.frames.csv","participant":"p","name":"n","role":"r","track":"t","kind":"video","codec":"video/H264","timescale":90000}}`
	pieces := `{"n":2,"prev":"00","kind":"pieces","pieces":[{"file":"log.jsonl","offset":0,"size":9,"sha256":"00","from":1,"to":2},{"file":"a.frames.csv","offset":0,"size":60,"sha256":"00","from":1,"to":2},{"file":"a.mp4","offset":0,"size":9,"sha256":"00","from":1,"to":2}]}`
	f.Add([]byte(begin+"\n"+track+"\n"+pieces+"\n"), []byte(`{"v":1,"kind":"chat"}`+"\n"), []byte(TableHead+"\n0,1,2,1,0,9\n"), []byte{0, 0, 0, 5, 1, 2, 3, 4, 5})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, chain, log, table, movie []byte) {
		for name, data := range map[string][]byte{ChainFile: chain, LogFile: log, "a.frames.csv": table, "a.mp4": movie} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		const key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW" // of nobody here
		if r, err := Verify(dir, VerifyConfig{Key: key}); err != nil || r.Proven {
			t.Errorf("%+v %v", r, err)
		}
		c, err := Open(dir, nil)
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.Log(func(wire.Envelope) error { return nil })
		for _, track := range c.Manifest.Tracks {
			frames, _ := c.Frames(track.Track)
			for _, f := range frames {
				_, _ = c.Data(track.Track, f)
			}
		}
	})
}
