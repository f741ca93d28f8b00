package mqtt

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sightline/devices"
	"sightline/relay/wire"
)

// say hands the plant a message and returns what comes out, in short.
func say(t *testing.T, p *plant, topic, payload string, retained bool, now int64) []string {
	t.Helper()
	out, err := p.handle(topic, []byte(payload), retained, now)
	if err != nil {
		t.Fatalf("%s %s: %v", topic, payload, err)
	}
	return short(t, out)
}

func short(t *testing.T, out []Message) []string {
	t.Helper()
	s := []string{}
	for _, m := range out {
		switch b := m.Body.(type) {
		case devices.Machine:
			s = append(s, "machine "+m.ID)
		case devices.Reading:
			v, _ := json.Marshal([]any{b.Number, b.Text, b.Flag})
			s = append(s, strings.TrimRight(fmt.Sprintf("%s %s %s %s", m.ID, strings.NewReplacer("null", "", ",", "", "[", "", "]", "").Replace(string(v)), b.Quality, b.Alarm), " "))
		case devices.Alarm:
			s = append(s, fmt.Sprintf("%s %s %v: %s", m.Kind, m.ID, b.Active, b.Text))
		}
	}
	return s
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

const (
	pump      = "plant/hall 3.b/pump.7"
	second    = 1_000_000
	birthPump = `{"title":"Feed pump 7","name":"liar","tags":{"pressure":{"title":"Pressure","unit":"bar","low":1,"high":10}},"silent_after":2}`
)

func newPlant() *plant { return &plant{machines: map[string]*machine{}} }

func TestReadings(t *testing.T) {
	p := newPlant()
	for payload, expect := range map[string]string{
		`4.25`:                                "4.25 good",
		` true `:                              "true good",
		`"open 开"`:                            `"open 开" good`,
		`{"value":-1e3,"quality":"Bad"}`:      "-1000 bad",
		`{"value":"x","quality":"uncertain"}`: `"x" uncertain`,
		`{"value":false,"other":[1]}`:         "false good",
	} {
		want(t, say(t, p, pump+"/état/deep", payload, false, 1), "hall 3.b/pump.7/état/deep "+expect)
	}
	out, err := p.handle(pump+"/a", []byte(`{"value":1,"time":1700000000123.456}`), false, 42)
	if err != nil {
		t.Fatal(err)
	}
	if r := out[0].Body.(devices.Reading); r.Source != 1700000000123456 || r.Arrived != 42 || r.Machine != "hall 3.b/pump.7" || r.Tag != "a" {
		t.Errorf("%+v", r)
	}
	want(t, say(t, p, pump+"/a", "", true, 43)) // cleared
}

func TestWhatCannotBeRead(t *testing.T) {
	p := newPlant()
	for _, c := range []struct{ topic, payload, want string }{
		{pump + "/a", "\x00\xff", "not JSON"},
		{pump + "/a", `4,5`, "not JSON"},
		{pump + "/a", `{"value":`, "not JSON"},
		{pump + "/a", `{}`, "no value"},
		{pump + "/a", `null`, "want a number"},
		{pump + "/a", `[1]`, "want a number"},
		{pump + "/a", `{"value":1,"time":-1}`, "milliseconds"},
		{pump + "/a", `{"value":1,"time":"noon"}`, "not JSON as it should be"},
		{pump + "/a", `{"value":1,"quality":"so-so"}`, "want good"},
		{pump + "/a", `"` + strings.Repeat("x", 2000) + `"`, "at most 1000"},
		{pump + "/a", `"` + strings.Repeat("x", maxPayload) + `"`, "at most"},
		{pump + "/$birth", `[]`, "not JSON as it should be"},
		{pump + "/$alarm/x", `{}`, "needs active"},
		{"plant/a/b", `1`, "plant/<area>"},
		{"plant//b/c", `1`, "plant/<area>"},
		{pump + "/" + strings.Repeat("x", 300), `1`, "at most 256"},
	} {
		if _, err := p.handle(c.topic, []byte(c.payload), false, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %.40s: error %v, want one with %q", c.topic, c.payload, err, c.want)
		}
	}
	if len(p.machines) != 0 {
		t.Errorf("something of it was kept: %v", p.machines)
	}
}

func TestAlarms(t *testing.T) {
	p := newPlant()
	id := "hall 3.b/pump.7"
	want(t, say(t, p, pump+"/pressure", `12`, false, 1), id+"/pressure 12 good")
	want(t, say(t, p, pump+"/$birth", birthPump, false, 1), "machine "+id, id+"/pressure 12 good high",
		"alarm "+id+"/pressure true: Pressure high: 12 bar, limit 10 bar")
	want(t, say(t, p, pump+"/pressure", `13`, false, 1), id+"/pressure 13 good high")
	want(t, say(t, p, pump+"/pressure", `{"value":5,"quality":"bad"}`, false, 1), id+"/pressure 5 bad high")
	want(t, say(t, p, pump+"/pressure", `0.5`, false, 1), id+"/pressure 0.5 good low",
		"alarm "+id+"/pressure true: Pressure low: 0.5 bar, limit 1 bar")
	want(t, short(t, p.snapshot(id)), "machine "+id, id+"/pressure 0.5 good low",
		"alarm "+id+"/pressure true: Pressure low: 0.5 bar, limit 1 bar")
	want(t, say(t, p, pump+"/pressure", `1`, false, 1), id+"/pressure 1 good",
		"alarm "+id+"/pressure false: Pressure back within its limits")
	want(t, say(t, p, pump+"/$alarm/seal", `{"active":true,"text":"seal leaks"}`, false, 1), "alarm "+id+"/seal true: seal leaks")
	if m := p.machines[id].birth; m.Name != id || m.Marker != -1 {
		t.Errorf("birth is %+v", m)
	}
}

func TestSilence(t *testing.T) {
	p := newPlant()
	id := "hall 3.b/pump.7"
	say(t, p, pump+"/$birth", birthPump, true, 0)
	say(t, p, pump+"/pressure", `5`, true, 1*second) // retained: no sign of life
	say(t, p, pump+"/state", `"on"`, true, 1*second)
	want(t, short(t, p.tick(2*second)))
	want(t, short(t, p.tick(2*second+1)), id+"/pressure 5 stale", id+"/state \"on\" stale")
	want(t, short(t, p.tick(3*second)))
	want(t, short(t, p.snapshot(id)), "machine "+id, id+"/pressure 5 stale", id+"/state \"on\" stale")
	want(t, say(t, p, pump+"/pressure", `6`, true, 4*second), id+"/pressure 6 stale")
	want(t, say(t, p, pump+"/pressure", `7`, false, 5*second), id+"/state \"on\" good", id+"/pressure 7 good")
	want(t, short(t, p.tick(7*second)))
	want(t, short(t, p.tick(8*second)), id+"/pressure 7 stale", id+"/state \"on\" stale")
}

func TestMemoryIsBounded(t *testing.T) {
	p := newPlant()
	for i := range maxTags {
		if _, err := p.handle(fmt.Sprintf("plant/a/m%d/t%d", i%100, i), []byte("1"), false, 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, topic := range []string{"plant/a/m1/new", "plant/a/new/$birth", "plant/a/new/$alarm/x"} {
		if _, err := p.handle(topic, []byte(`{"value":1,"active":true}`), false, 1); err == nil {
			t.Errorf("%s was taken", topic)
		}
	}
	for i := range 100 {
		_, _ = p.handle(fmt.Sprintf("plant/a/new%d/$alarm/x", i), []byte(`{"active":true}`), false, 1)
	}
	if n := len(p.machines); n != 100 {
		t.Errorf("%d machines, 100 of them with tags", n)
	}
	if _, err := p.handle("plant/a/m0/t0", []byte("2"), false, 1); err != nil {
		t.Errorf("a known tag: %v", err)
	}
}

// A plant whose machines say ever more of themselves fills no memory. What was known stays, and may be said again.
func TestBirthsAreBounded(t *testing.T) {
	p := newPlant()
	large := []byte(`{"title":"` + strings.Repeat("x", maxPayload-12) + `"}`)
	taken := 0
	for i := range 2 * maxBirths / maxPayload {
		if _, err := p.handle(fmt.Sprintf("plant/a/m%d/$birth", i), large, true, 1); err == nil {
			taken++
		} else if !strings.Contains(err.Error(), "64 MiB") {
			t.Fatal(err)
		}
	}
	if taken != maxBirths/maxPayload || len(p.machines) != taken {
		t.Errorf("%d births were taken, %d machines are known", taken, len(p.machines))
	}
	for range 2 {
		if _, err := p.handle("plant/a/m0/$birth", []byte(birthPump), true, 1); err != nil {
			t.Errorf("a known machine's birth: %v", err)
		}
	}
	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, `,"%d":{}`, i)
	}
	if _, err := p.handle("plant/a/many/$birth", []byte(`{"tags":{`+many.String()[1:]+`}}`), true, 1); err == nil {
		t.Error("5,000 tags weigh no more than their names")
	}
}

func TestRedact(t *testing.T) {
	for address, want := range map[string]string{
		"tcp://broker:1883":                  "tcp://broker:1883",
		"ssl://relay:secret@broker:8883":     "ssl://broker:8883",
		"tcp://relay:se@cr@et@broker:1883/p": "tcp://broker:1883/p",
		"tcp://relay:se://cr@et@broker:1883": "tcp://broker:1883",
		"tcp://relay:secret%zz@broker:1883":  "tcp://broker:1883",
		"relay:secret@broker:1883":           "broker:1883",
		"relay:sec://ret@broker:1883":        "broker:1883",
		"broker:1883":                        "broker:1883",
		"":                                   "",
	} {
		if got := Redact(address); got != want {
			t.Errorf("%s is told as %s, want %s", address, got, want)
		}
		if host, err := Host(address); err != nil && strings.Contains(err.Error(), "secret") || err == nil && strings.Contains(host, "secret") {
			t.Errorf("%s: %s %v", address, host, err)
		}
	}
}

func FuzzPlant(f *testing.F) {
	f.Add(pump+"/pressure", []byte(`{"value":4.2,"time":1700000000123.456,"quality":"good"}`), false)
	f.Add(pump+"/$birth", []byte(birthPump), true)
	f.Add(pump+"/$alarm/seal", []byte(`{"active":true,"text":"leaks"}`), false)
	f.Add("plant/a/b/c", []byte(`1e999`), false)
	f.Fuzz(func(t *testing.T, topic string, payload []byte, retained bool) {
		p := newPlant()
		_, _ = p.handle(pump+"/$birth", []byte(birthPump), true, 0)
		out, err := p.handle(topic, payload, retained, 1)
		out = append(append(out, p.tick(9*second)...), p.snapshot("hall 3.b/pump.7")...)
		if err != nil && len(out) == 0 {
			return
		}
		for _, m := range out {
			body, err := json.Marshal(m.Body)
			if err != nil {
				t.Fatalf("%v is not JSON: %v", m, err)
			}
			e := wire.Envelope{V: 1, Kind: m.Kind, ID: m.ID, Body: body}
			if err := e.Valid(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
