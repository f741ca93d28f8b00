package tape

import (
	"testing"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/movie"
	"sightline/relay/evidence/seal"
	"sightline/relay/wire"
)

// TestTracksWithoutFrames opens cases of which a microphone and a camera were announced and no more came: the recorder
// stopped within the half second after, or the disk was behind. Who sent nothing has neither sound nor camera.
func TestTracksWithoutFrames(t *testing.T) {
	opus, err := movie.FormatOf(movie.Opus, movie.Unit{Key: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, closed := range map[string]bool{"a case that was left open": false, "a closed case": true} {
		t.Run(name, func(t *testing.T) {
			w, dir := begin(t)
			bare := func(of, kind, codec string) evidence.Track {
				return evidence.Track{File: of + ".mp4", Table: of + ".frames.csv", Participant: of, Name: of, Role: "expert", TrackName: "t", Kind: kind, Codec: codec, Timescale: 48000}
			}
			for _, track := range []evidence.Track{bare("mic", wire.Audio, movie.Opus), bare("camera", wire.Video, movie.H264)} {
				w.Note(evidence.Record{Kind: evidence.KindTrack, Track: &track})
			}
			if _, err := movie.New(w, bare("headed", wire.Audio, movie.Opus), opus, 1000, 1000); err != nil {
				t.Fatal(err)
			}
			m, err := movie.New(w, bare("heard", wire.Audio, movie.Opus), opus, 1000, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for i := range int64(3) {
				if err := m.Write(movie.Unit{Data: []byte{0xfc, 0xff, 0xfe}, Captured: 1 + i*20_000, Key: true}, 1000+i*20_000); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			end := w.Close
			if err := w.Commit(); err != nil {
				t.Fatal(err)
			}
			if closed {
				end = func() error { return w.End(nil) }
			}
			if err := end(); err != nil {
				t.Fatal(err)
			}
			tp, err := Open(dir, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tp.Close() }()
			if len(tp.Cameras) != 0 || len(tp.Sounds) != 1 || tp.Sounds[0].Participant != "heard" || len(tp.Sounds[0].Shots) != 3 {
				t.Errorf("%d cameras, %d sounds: %+v", len(tp.Cameras), len(tp.Sounds), tp.Sounds)
			}
		})
	}
}

// begin begins a case whose session time and wall clock stand still.
func begin(t *testing.T) (*evidence.Writer, string) {
	t.Helper()
	s, err := seal.Open(t.TempDir(), seal.Relay)
	if err != nil {
		t.Fatal(err)
	}
	wall := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	w, err := evidence.Create(dir, evidence.WriterConfig{Seal: s, Clock: func() (int64, time.Time) { return 1000, wall },
		About: evidence.About{Format: evidence.Format, ID: "case-1", Room: "hall", SessionBegan: 1, Start: 1000, UTC: wall.Format(time.RFC3339), Key: s.Key()}})
	if err != nil {
		t.Fatal(err)
	}
	return w, dir
}
