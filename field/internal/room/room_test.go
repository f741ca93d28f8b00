package room

import (
	"encoding/json"
	"log/slog"
	"slices"
	"testing"
	"time"

	"sightline/devices"
	"sightline/relay/wire"
)

func message(t *testing.T, kind, id string, at int64, body any) wire.Envelope {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Envelope{V: 1, Kind: kind, ID: id, Msg: id, Time: at, Seq: uint64(at), Body: b}
}

func reading(v float64, q devices.Quality) devices.Reading {
	return devices.Reading{Machine: "hall/pump", Tag: "pressure", Number: &v, Quality: q}
}

// TestNewestHolds wants old messages, which come again after a break, to change nothing.
func TestNewestHolds(t *testing.T) {
	r := New(slog.New(slog.DiscardHandler), time.Now)
	const id = "hall/pump/pressure"
	r.Take(message(t, wire.KindTag, id, 2, reading(7, devices.Good)))
	r.Take(message(t, wire.KindTag, id, 1, reading(3, devices.Good)))
	r.Take(message(t, wire.KindTag, id, 3, reading(7, devices.Stale)))
	r.Take(message(t, wire.KindTag, id, 4, "nonsense"))
	m := r.Machines()
	if len(m) != 1 || len(m[0].Tags) != 1 {
		t.Fatalf("machines %+v, want one with one tag", m)
	}
	if got := m[0].Tags[0]; *got.Reading.Number != 7 || got.Reading.Quality != devices.Stale || !slices.Equal(got.Trend, []float64{7}) {
		t.Errorf("tag %+v, want 7, stale, and a trend of the good number alone", got)
	}
}

func TestTrendIsBounded(t *testing.T) {
	r := New(slog.New(slog.DiscardHandler), time.Now)
	for i := range int64(200) {
		r.Take(message(t, wire.KindTag, "x", i+1, reading(float64(i), devices.Good)))
	}
	if tr := r.Machines()[0].Tags[0].Trend; len(tr) != trendLength || tr[0] != 140 || tr[trendLength-1] != 199 {
		t.Errorf("trend of %d from %g to %g, want the newest %d", len(tr), tr[0], tr[len(tr)-1], trendLength)
	}
}

// TestAlarms shows an alarm of the machine's own on its tag, until it ends.
func TestAlarms(t *testing.T) {
	r := New(slog.New(slog.DiscardHandler), time.Now)
	r.Take(message(t, wire.KindTag, "t", 1, reading(5, devices.Good)))
	for i, active := range []bool{true, false} {
		r.Take(message(t, wire.KindAlarm, "a", int64(i+1), devices.Alarm{Machine: "hall/pump", Tag: "pressure", Active: active, Text: "seal"}))
		if got := r.Machines()[0].Tags[0].Reading.Alarm != ""; got != active {
			t.Errorf("alarm shown: %v, want %v", got, active)
		}
	}
}

func TestPeopleAndPins(t *testing.T) {
	r := New(slog.New(slog.DiscardHandler), time.Now)
	for i, p := range []wire.Participant{{ID: "a", Name: "Mei", Role: "expert", Online: true}, {ID: "b", Name: "Tom", Role: "field", Online: true},
		{ID: "c", Name: "Ada", Role: "expert", Online: true}, {ID: "c", Name: "Ada", Role: "expert"}} {
		r.Take(message(t, wire.KindParticipant, p.ID, int64(i+1), p))
	}
	if got := r.Experts(); !slices.Equal(got, []string{"Mei"}) {
		t.Errorf("experts %v, want Mei alone", got)
	}
	r.Take(message(t, wire.KindMark, "pin-x", 1, map[string]any{"deleted": true}))
	if !r.Known("pin-x") || r.Known("pin-y") || r.Arrived("pin-x") == 0 {
		t.Error("a deleted pin is not remembered")
	}
}
