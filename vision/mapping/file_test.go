package mapping

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sightline/vision/geom"
	"sightline/vision/reloc"
)

func saved() Saved {
	rng := rand.New(rand.NewPCG(5, 6))
	w := SavedWorld{Metric: true}
	for id := FeatureID(-3); id < 20; id++ {
		if id == 0 {
			continue
		}
		l := SavedLandmark{ID: id, Landmark: Landmark{P: geom.Vec3{rng.Float64(), rng.Float64(), 2}, Cov: geom.Identity3.Scale(0.25), Views: 3}}
		for range rng.IntN(4) {
			l.Looks = append(l.Looks, reloc.Descriptor{rng.Uint64(), rng.Uint64(), rng.Uint64(), rng.Uint64()})
		}
		if l.Looks == nil {
			l.Looks = []reloc.Descriptor{}
		}
		w.Landmarks = append(w.Landmarks, l)
	}
	for k := range 3 {
		f := Keyframe{PoseCW: geom.Pose{R: geom.ExpSO3(geom.Vec3{0.1 * float64(k), 0, 0}), T: geom.Vec3{float64(k), 0, 0}}}
		for id := FeatureID(1); id < 20; id++ {
			f.Seen = append(f.Seen, Observation{ID: id, N: geom.Vec2{0.25, -0.5}})
		}
		w.Keyframes = append(w.Keyframes, f)
	}
	return Saved{Machine: "pump P-7", Worlds: []SavedWorld{w}, Marks: []SavedMark{{ID: "bearing", Body: "{}", World: 0,
		Points: []SavedPoint{{Spot: geom.Spot{P: geom.Vec3{1, 2, 3}, Cov: geom.Identity3, Doubt: 0.25, Off: geom.Vec3{0, 0, 0.5}}, Normal: geom.Vec3{0, 0, -1}}}}}}
}

func TestMapFileComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pump.map")
	if err := WriteFile(path, saved()); err != nil {
		t.Fatal(err)
	}
	got, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, saved()) {
		t.Errorf("wrote %+v\nread %+v", saved(), got)
	}
}

// TestAlteredMapFileIsRefused changes every byte, one at a time, and cuts the file at every length.
func TestAlteredMapFileIsRefused(t *testing.T) {
	data := Encode(saved())
	for i := range data {
		data[i] ^= 0x10
		if _, err := Decode(data); err == nil {
			t.Fatalf("byte %d changed and nobody said a word", i)
		}
		data[i] ^= 0x10
		if _, err := Decode(data[:i]); err == nil {
			t.Fatalf("cut at byte %d and nobody said a word", i)
		}
	}
	path := filepath.Join(t.TempDir(), "short.map")
	if err := os.WriteFile(path, data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), "cut short or altered") || !strings.Contains(err.Error(), path) {
		t.Errorf("the error of a cut file is %v", err)
	}
	if _, err := ReadFile(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was read")
	}
}

// TestMapFileThatCannotBe has a right checksum and a content that no mapper has written.
func TestMapFileThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Saved)
		want   string
	}{
		"no key frames":    {func(s *Saved) { s.Worlds[0].Keyframes = nil }, "0 key frames"},
		"no points":        {func(s *Saved) { s.Marks[0].Points = nil }, "no points"},
		"a world too far":  {func(s *Saved) { s.Marks[0].World = 1 }, "in world 1 of 1"},
		"no rotation":      {func(s *Saved) { s.Worlds[0].Keyframes[1].PoseCW.R[0] = 2 }, "rotation"},
		"a doubt of three": {func(s *Saved) { s.Marks[0].Points[0].Doubt = 3 }, "probability"},
	} {
		s := saved()
		c.change(&s)
		if _, err := Decode(Encode(s)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// More worlds than there is content for are not made room for.
	content := append([]byte(magic), fileVersion)
	content = binary.LittleEndian.AppendUint32(content, 0)       // no name
	content = binary.LittleEndian.AppendUint32(content, 100_000) // worlds
	content = append(content, make([]byte, 1_000_000)...)
	content[len(magic)+1+8] = 2 // is no bool that is written
	data := sealed(content)
	if n := testing.AllocsPerRun(1, func() { _, _ = Decode(data) }); n > 1000 {
		t.Errorf("%.0f allocations for a file of nothing", n)
	}
}

func TestRecalledMapIsSavedTheSame(t *testing.T) {
	m := New(Config{})
	if names := m.Recall(saved().Worlds); len(names) != 1 || !m.Knows() {
		t.Fatalf("recalled %v", names)
	}
	again, _ := m.Save()
	was := saved().Worlds[0]
	if len(again) != 1 || len(again[0].Landmarks) != len(was.Landmarks) || len(again[0].Keyframes) != len(was.Keyframes) || !again[0].Metric {
		t.Fatalf("saved again: %+v", again)
	}
	for i, l := range again[0].Landmarks {
		if l.P != was.Landmarks[i].P || len(l.Looks) != len(was.Landmarks[i].Looks) {
			t.Errorf("landmark %d is %+v, was %+v", i, l, was.Landmarks[i])
		}
	}
}

// FuzzDecode reads anything, with a right checksum put under it, so that the fuzzer gets past that.
func FuzzDecode(f *testing.F) {
	f.Add(Encode(saved()))
	f.Add([]byte("SLMAP\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 32 {
			data = sealed(data[:len(data)-32])
		}
		s, err := Decode(data)
		if err != nil {
			return
		}
		if again, err := Decode(Encode(s)); err != nil || len(again.Worlds) != len(s.Worlds) {
			t.Errorf("what was read can't be written: %v", err)
		}
	})
}
