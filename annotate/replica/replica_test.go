package replica

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"sightline/annotate"
	"sightline/relay/wire"
	"sightline/vision/geom"
)

func arrow(author string, x float64) annotate.Mark {
	return annotate.Mark{Author: author, Colour: "#ff0000", Shape: annotate.Arrow, Camera: "p-1",
		Points: []geom.Vec2{{x, 10}, {x + 50, 40}}, Width: 640, Height: 480}
}

func body(t require, v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// require is what testing.T and rapid.T share.
type require interface {
	Fatal(...any)
	Fatalf(string, ...any)
}

// editor makes a session with a clock of its own, which may stand still or run behind.
func editor(r *Replica, from string, now *int64) *Editor {
	n := 0
	return NewEditor(r, from, func() int64 { return *now }, func() string {
		n++
		return fmt.Sprintf("%s-%d", from, n)
	})
}

// drawMessages makes messages about few marks at few times, so that they collide.
func drawMessages(t *rapid.T) []wire.Envelope {
	n := rapid.IntRange(0, 30).Draw(t, "messages")
	msgs := make([]wire.Envelope, n)
	for i := range msgs {
		e := wire.Envelope{V: 1, ID: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "id"),
			From: rapid.SampledFrom([]string{"p", "q"}).Draw(t, "from"), Time: rapid.Int64Range(1, 4).Draw(t, "time"),
			Msg: fmt.Sprint("m", i), Seq: uint64(i + 1)}
		if rapid.Bool().Draw(t, "anchor") {
			e.Kind = wire.KindAnchor
			e.Body = body(t, annotate.Anchor{State: annotate.Waiting, Reason: fmt.Sprint(i), MarkTime: rapid.Int64Range(1, 4).Draw(t, "mark time")})
		} else {
			e.Kind = wire.KindMark
			m := arrow("x", float64(i))
			m.Deleted = rapid.IntRange(0, 3).Draw(t, "deleted") == 0
			e.Body = body(t, m)
		}
		msgs[i] = e
	}
	return msgs
}

func merged(t require, msgs []wire.Envelope) *Replica {
	r := New()
	for _, e := range msgs {
		if _, err := r.Apply(e); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// TestConverges gives the same messages in another order, some of them twice: the state is the same.
func TestConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		msgs := drawMessages(t)
		want := merged(t, msgs)
		other := rapid.Permutation(msgs).Draw(t, "order")
		other = append(other, msgs[:len(msgs)/2]...)
		got := merged(t, other)
		if !reflect.DeepEqual(want.List(), got.List()) {
			t.Fatalf("in one order %v, in another %v", want.List(), got.List())
		}
		before := got.Version()
		for _, e := range msgs {
			if changed, _ := got.Apply(e); changed {
				t.Fatalf("message %s changes the state a second time", e.Msg)
			}
		}
		if got.Version() != before {
			t.Fatal("the version grew without a change")
		}
	})
}

// room is a relay as the replicas see it: it numbers messages, knows each by its name, and puts the clock of
// who is ahead right.
type room struct {
	now int64
	log []wire.Envelope
}

func (r *room) take(e wire.Envelope) {
	for _, old := range r.log {
		if old.Msg == e.Msg {
			return
		}
	}
	r.now++
	e.Time, e.Seq = min(e.Time, r.now), uint64(len(r.log)+1)
	r.log = append(r.log, e)
}

// TestTwoEditors lets two sessions edit apart, their clocks wrong, and exchange everything now and then
// through a relay: in the end they agree, and what either made and nobody deleted is there.
func TestTwoEditors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clocks := [2]int64{0, rapid.Int64Range(-20, 20).Draw(t, "skew")}
		replicas := [2]*Replica{New(), New()}
		editors := [2]*Editor{editor(replicas[0], "p", &clocks[0]), editor(replicas[1], "q", &clocks[1])}
		relay := &room{now: rapid.Int64Range(0, 40).Draw(t, "relay's clock")}
		var sent [2][]wire.Envelope
		exchange := func() {
			for i := range sent {
				for _, env := range sent[i] {
					relay.take(env)
				}
			}
			for _, r := range replicas {
				for _, env := range rapid.Permutation(relay.log).Draw(t, "order") {
					if _, err := r.Apply(env); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		made, deleted := map[string]bool{}, map[string]bool{}
		for range rapid.IntRange(1, 30).Draw(t, "edits") {
			i := rapid.IntRange(0, 1).Draw(t, "who")
			clocks[i] += rapid.Int64Range(0, 2).Draw(t, "tick")
			relay.now++
			op := rapid.IntRange(0, 4).Draw(t, "op")
			if op == 4 {
				exchange()
				continue
			}
			sent[i] = append(sent[i], edit(t, editors[i], replicas[i].List(), op, made, deleted)...)
		}
		exchange()
		if a, b := replicas[0].List(), replicas[1].List(); !reflect.DeepEqual(a, b) {
			t.Fatalf("they disagree: %v, %v", a, b)
		}
		for id := range made {
			if _, ok := replicas[0].Get(id); !ok && !deleted[id] {
				t.Fatalf("mark %s was lost", id)
			}
		}
	})
}

// edit makes one edit and notes what it made or deleted.
func edit(t *rapid.T, e *Editor, list []annotate.Entry, op int, made, deleted map[string]bool) []wire.Envelope {
	var env wire.Envelope
	var err error
	switch {
	case op <= 1 || len(list) == 0:
		var id string
		id, env, err = e.Create(arrow("x", 1), 7)
		made[id] = true
	case op == 2:
		env, err = e.Move(list[0].ID, arrow("x", 2), 8)
	default:
		env, err = e.Delete(list[len(list)-1].ID)
		deleted[env.ID] = true
	}
	if err != nil {
		t.Fatal(err)
	}
	return []wire.Envelope{env}
}

// TestForget drops an own message that the relay refused.
func TestForget(t *testing.T) {
	r := New()
	now := int64(5)
	_, env, err := editor(r, "p", &now).Create(arrow("x", 1), 1)
	if err != nil || len(r.List()) != 1 {
		t.Fatal(err)
	}
	r.Forget(env.Msg)
	if n := len(r.List()); n != 0 {
		t.Errorf("%d marks after the only one was refused", n)
	}
}

// bodies is the state without its times: what people see.
func bodies(r *Replica) map[string]annotate.Mark {
	out := map[string]annotate.Mark{}
	for _, e := range r.List() {
		out[e.ID] = e.Mark
	}
	return out
}

// TestUndoRestores takes every edit back, one after another: the marks are as they were before each.
func TestUndoRestores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := New()
		now := int64(100)
		e := editor(r, "p", &now)
		var states []map[string]annotate.Mark
		for range rapid.IntRange(1, 25).Draw(t, "edits") {
			states = append(states, bodies(r))
			list := r.List()
			var err error
			switch op := rapid.IntRange(0, 4).Draw(t, "op"); {
			case op <= 1 || len(list) == 0:
				_, _, err = e.Create(arrow("x", rapid.Float64Range(0, 600).Draw(t, "x")), 1)
			case op == 2:
				_, err = e.Move(list[0].ID, arrow("x", rapid.Float64Range(0, 600).Draw(t, "x")), 2)
			case op == 3:
				_, err = e.Delete(list[0].ID)
			default:
				_, err = e.Clear()
			}
			if err != nil {
				t.Fatal(err)
			}
			now += rapid.Int64Range(-1, 3).Draw(t, "tick")
		}
		for i := len(states) - 1; i >= 0; i-- {
			if !e.CanUndo() {
				t.Fatal("nothing to undo")
			}
			if _, err := e.Undo(); err != nil {
				t.Fatal(err)
			}
			if got := bodies(r); !reflect.DeepEqual(got, states[i]) {
				t.Fatalf("after undoing edit %d: %v, want %v", i, got, states[i])
			}
		}
		if envs, err := e.Undo(); e.CanUndo() || len(envs) != 0 || err != nil {
			t.Fatalf("an empty session undoes %v, %v", envs, err)
		}
	})
}

// TestAnchorHolds pins that an anchor counts only for the mark as it was when it was anchored.
func TestAnchorHolds(t *testing.T) {
	r := New()
	now := int64(1000)
	e := editor(r, "expert", &now)
	id, env, err := e.Create(arrow("Anna", 1), 42)
	if err != nil {
		t.Fatal(err)
	}
	anchor := func(markTime, time int64, reason string) {
		t.Helper()
		if _, err := r.Apply(wire.Envelope{Kind: wire.KindAnchor, ID: id, From: "field", Msg: reason, Time: time, Seq: uint64(time),
			Body: body(t, annotate.Anchor{MarkTime: markTime, State: annotate.Waiting, Reason: reason})}); err != nil {
			t.Fatal(err)
		}
	}
	anchor(env.Time, 1100, "first")
	if m, ok := r.Get(id); !ok || m.Anchor == nil || m.Anchor.Reason != "first" || m.Captured != 42 {
		t.Errorf("after the anchor: %+v, %v", m, ok)
	}
	moved, err := e.Move(id, arrow("Anna", 99), 43)
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := r.Get(id); m.Anchor != nil {
		t.Error("a moved mark keeps its old place")
	}
	anchor(moved.Time, 1200, "second")
	if m, _ := r.Get(id); m.Anchor == nil || m.Anchor.Reason != "second" {
		t.Error("the new anchor does not count")
	}
}

// TestOthersEdits pins what undo does over others' work: it writes anew, it does not rewrite.
func TestOthersEdits(t *testing.T) {
	r := New()
	now := int64(10)
	anna, bob := editor(r, "anna", &now), editor(r, "bob", &now)
	id, _, err := anna.Create(arrow("Anna", 1), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Delete(id); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Delete(id); err == nil {
		t.Error("a deleted mark can be deleted again")
	}
	if envs, err := anna.Undo(); err != nil || len(envs) != 0 {
		t.Errorf("undoing what another deleted gives %v, %v", envs, err)
	}
	if envs, err := bob.Undo(); err != nil || len(envs) != 1 || len(r.List()) != 1 {
		t.Errorf("bob takes his deletion back: %v, %v, %d marks", envs, err, len(r.List()))
	}
	if _, err := bob.Move("nothing", arrow("Bob", 1), 1); err == nil {
		t.Error("a mark that is not there moves")
	}
	if _, _, err := bob.Create(annotate.Mark{Shape: "blob"}, 1); err == nil {
		t.Error("a mark without sense is made")
	}
}

// TestTogether lets goroutines work on one replica, for the race detector.
func TestTogether(t *testing.T) {
	r := New()
	var wait sync.WaitGroup
	for g := range 4 {
		wait.Go(func() {
			now := int64(g)
			e := editor(r, fmt.Sprint("p", g), &now)
			for range 50 {
				id, _, err := e.Create(arrow("x", rand.Float64()), 1)
				if err != nil {
					t.Error(err)
				}
				r.List()
				if _, err := e.Delete(id); err != nil {
					t.Error(err)
				}
				if _, err := e.Undo(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if n := len(r.List()); n != 200 {
		t.Errorf("%d marks, want 200", n)
	}
}

func FuzzApply(f *testing.F) {
	f.Add([]byte(`{"author":"Anna","colour":"#ff0000","shape":"arrow","camera":"p","points":[[1,2],[3,4]],"width":640,"height":480}`))
	f.Add([]byte(`{"deleted":true}`))
	f.Add([]byte(`{"mark_time":5,"state":"placed","map":"m","points":[{"p":[1,2,3],"n":[0,0,-1],"cov":[1,0,0,1,0,1]}]}`))
	f.Add([]byte(`{"shape":"stroke","points":[[1e400,0]]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := New()
		for i, kind := range []string{wire.KindMark, wire.KindAnchor, "other"} {
			changed, err := r.Apply(wire.Envelope{Kind: kind, ID: "x", Time: int64(i), Body: data})
			if changed && err != nil {
				t.Errorf("%s: changed and %v", kind, err)
			}
		}
		for _, e := range r.List() {
			if err := e.Mark.Valid(); err != nil {
				t.Errorf("a wrong mark is live: %v", err)
			}
		}
	})
}
