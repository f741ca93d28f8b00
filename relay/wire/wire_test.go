package wire

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The one table of messages: encode, decode and the fuzzers start from it.
var envelopes = []string{
	`{"v":1,"kind":"mark","id":"m-1","msg":"01J","from":"p-2c","time":81234567,"seq":42,"captured":1700000000123456,"body":{"a":1}}`,
	`{"v":1,"kind":"x-new","id":"","msg":"a","from":"","time":0}`,
	`{"v":2,"kind":"mark","id":"m","msg":"a","from":"p","time":-5,"colour":"red","nested":{"deep":[1,2,{"x":null}]},"body":"text"}`,
	`{"v":1,"kind":"tag","id":"hall 3/pump.7/température","msg":"q","from":"relay","time":9,"body":{"number":1.5,"quality":"good"}}`,
	`{"v":1,"kind":"chat","id":"c","msg":"a","from":"p","time":1,"body":{"text":"a <b> & \"c\""},"more":"<&>"}`,
}

// What one reader would take for one message and another for another.
var forged = []string{
	`{"v":1,"KIND":"consent","ID":"p-victim","FROM":"p-victim","kind":"chat","id":"x","msg":"m","body":{"state":"given"}}`,
	`{"kind":"chat","From":"p-victim"}`,
	`{"kind":"chat","\u212aind":"consent"}`,
	`{"kind":"chat","m\u017fg":"m"}`,
}

func TestForgedFieldsAreRefused(t *testing.T) {
	for _, in := range forged {
		if e, err := Decode([]byte(in)); err == nil || !strings.Contains(err.Error(), "is written") {
			t.Errorf("%s: %+v, error %v", in, e, err)
		}
	}
	e := Envelope{V: 1, Kind: "chat", From: "p", Extra: map[string]json.RawMessage{"FROM": []byte(`"p-victim"`), "\u212aind": []byte(`"consent"`), "x": []byte("1")}}
	out, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(out)
	if err != nil || again.From != "p" || again.Kind != "chat" || len(again.Extra) != 1 {
		t.Errorf("%s came back as %+v (%v)", out, again, err)
	}
}

// Of a field that comes twice what leaves is what was judged.
func TestFieldsThatComeTwice(t *testing.T) {
	e, err := Decode([]byte(`{"kind":"consent","kind":"chat","from":"p","id":"a","from":"q","id":"b","x":1,"x":2}`))
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(out, &all); err != nil || all["kind"] != e.Kind || all["from"] != e.From || all["id"] != e.ID {
		t.Errorf("judged %+v, left %s (%v)", e, out, err)
	}
	for _, field := range []string{"kind", "from", "id", "x"} {
		if n := strings.Count(string(out), `"`+field+`"`); n != 1 {
			t.Errorf("%q is %d times in %s", field, n, out)
		}
	}
}

// What leaves is no larger than what came, but for the relay's own fields.
func TestEncodeDoesNotGrow(t *testing.T) {
	in := `{"v":1,"kind":"chat","id":"c","msg":"a","from":"p","time":1,"body":{"text":"` + strings.Repeat("<&>", 1000) + `"},"more":"<&>"}`
	e, err := Decode([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := e.Encode(); err != nil || string(out) != in {
		t.Errorf("%d bytes came back as %d (%v)", len(in), len(out), err)
	}
}

func TestUnknownFieldsSurvive(t *testing.T) {
	for _, in := range envelopes {
		e, err := Decode([]byte(in))
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		out, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if want, got := canonical(t, in), canonical(t, string(out)); want != got {
			t.Errorf("changed on the way:\n in %s\nout %s", want, got)
		}
	}
}

// canonical sorts the keys, so that equal documents are equal strings.
func canonical(t testing.TB, s string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"not JSON":     {"\x00\xffgarbage", "not an envelope"},
		"no kind":      {`{"id":"a"}`, "no kind"},
		"kind":         {`{"kind":"a.b"}`, "letters, digits"},
		"long id":      {`{"kind":"a","id":"` + strings.Repeat("x", 257) + `"}`, "at most 256"},
		"long msg":     {`{"kind":"a","msg":"` + strings.Repeat("x", 65) + `"}`, "at most 64"},
		"wrong type":   {`{"kind":"a","time":"noon"}`, "not an envelope"},
		"too large":    {strings.Repeat(" ", MaxMessage+1), "are taken"},
		"only an list": {`[]`, "not an envelope"},
	} {
		if _, err := Decode([]byte(c.in)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// Whatever order a set of messages is heard in, the same one holds.
func TestNewerIsATotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.Custom(func(t *rapid.T) Envelope {
			return Envelope{Time: rapid.Int64Range(0, 3).Draw(t, "time"),
				From: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "from"),
				Msg:  rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "msg")}
		})
		all := rapid.SliceOfN(gen, 1, 8).Draw(t, "messages")
		winner := func(es []Envelope) Envelope {
			w := es[0]
			for _, e := range es[1:] {
				if e.Newer(w) {
					w = e
				}
			}
			return w
		}
		other := rapid.Permutation(all).Draw(t, "order")
		a, b := winner(all), winner(other)
		if a.Time != b.Time || a.From != b.From || a.Msg != b.Msg {
			t.Fatalf("%v or %v holds, by the order of arrival", a, b)
		}
	})
}

func TestAbsCaptureTimeIsExact(t *testing.T) {
	if b := AbsCaptureTime(0); b != [8]byte{0x83, 0xaa, 0x7e, 0x80} {
		t.Errorf("Unix epoch is % x, want 83aa7e80 00000000 (RFC 5905)", b)
	}
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Int64Range(0, (1<<32)*1e6-1).Draw(t, "captured")
		b := AbsCaptureTime(want)
		if got, err := ParseAbsCaptureTime(b[:]); err != nil || got != want {
			t.Fatalf("%d came back as %d (%v)", want, got, err)
		}
	})
	if _, err := ParseAbsCaptureTime(make([]byte, 7)); err == nil {
		t.Error("7 bytes were taken")
	}
}

var signals = []string{
	`{"type":"welcome","self":{"id":"p-1","name":"Ann","role":"expert","online":true},"room":"hall-3","session_began":1,"session_time":2}`,
	`{"type":"publish","tracks":[{"name":"camera","kind":"video"},{"name":"mic","kind":"audio"}]}`,
	`{"type":"publish"}`,
	`{"type":"offer","sdp":"v=0","tracks":[{"mid":"1","participant":"p-2","name":"camera","kind":"video","codec":"video/H264"}]}`,
	`{"type":"answer","sdp":"v=0"}`,
	`{"type":"publish","tracks":[{"name":"camera","kind":"video"},{"name":"camera-half","kind":"video","of":"camera"}]}`,
	`{"type":"wanted","names":["camera","camera-half"]}`,
	`{"type":"show","show":[{"participant":"p-2","name":"camera","width":320},{"participant":"p-3","name":"camera","most":"off"}]}`,
	`{"type":"error","code":"forbidden","text":"a viewer may not draw","msg":"m"}`,
}

func TestSignals(t *testing.T) {
	for _, in := range signals {
		s, err := DecodeSignal([]byte(in))
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		out, err := s.Encode()
		if err != nil || canonical(t, in) != canonical(t, string(out)) {
			t.Errorf("%s came back as %s (%v)", in, out, err)
		}
	}
	for in, want := range map[string]string{
		`{`:                  "not JSON",
		`{}`:                 "no type",
		`{"type":"sing"}`:    "unknown type",
		`{"type":"offer"}`:   "without an sdp",
		`{"type":"welcome"}`: "without a self",
		`{"type":"publish","tracks":[{"name":"a b","kind":"video"}]}`:                                    "letters, digits",
		`{"type":"publish","tracks":[{"name":"a","kind":"smell"}]}`:                                      "want video or audio",
		`{"type":"publish","tracks":[{"name":"a","kind":"video"},{"name":"a","kind":"audio"}]}`:          "twice",
		`{"type":"publish","tracks":[{"name":"a","kind":"video","of":"b"},{"name":"b","kind":"video"}]}`: "no picture named before it",
		`{"type":"show","show":[{"name":"a"}]}`:                                                          "none of that name",
		`{"type":"show","show":[{"participant":"p","name":"a","width":-1}]}`:                             "width of -1",
		`{"type":"show","show":[{"participant":"p","name":"a","most":"full"}]}`:                          "want key-frames",
	} {
		if _, err := DecodeSignal([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", in, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range slices.Concat(envelopes, forged) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Decode(data)
		if err != nil {
			return
		}
		out, err := e.Encode()
		if err != nil {
			t.Fatalf("decoded but cannot be encoded: %v", err)
		}
		again, err := Decode(out)
		if err != nil && len(out) <= MaxMessage {
			t.Fatalf("encoded but cannot be decoded: %v\n%s", err, out)
		}
		if err == nil && (again.Kind != e.Kind || again.ID != e.ID || again.From != e.From || again.Time != e.Time || again.Msg != e.Msg ||
			len(again.Extra) != len(e.Extra)) {
			t.Fatalf("changed on the way: %+v to %+v", e, again)
		}
	})
}

func FuzzDecodeSignal(f *testing.F) {
	for _, s := range signals {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := DecodeSignal(data)
		if err != nil {
			return
		}
		if _, err := s.Encode(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzAbsCaptureTime(f *testing.F) {
	f.Add(int64(1700000000123456))
	f.Fuzz(func(t *testing.T, captured int64) {
		b := AbsCaptureTime(captured)
		got, err := ParseAbsCaptureTime(b[:])
		if err != nil {
			t.Fatal(err)
		}
		if captured >= 0 && captured < (1<<32)*1e6 && got != captured {
			t.Fatalf("%d came back as %d", captured, got)
		}
	})
}
