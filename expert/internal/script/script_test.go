package script

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"sightline/vision/geom"
)

func TestParse(t *testing.T) {
	for text, want := range map[string][]Command{
		"":                       nil,
		"  # nothing\n\n\t":      nil,
		"wait video":             {{Line: 1, Verb: "wait", What: "video", Timeout: 30 * time.Second}},
		"\nwait tracking 2s # x": {{Line: 2, Verb: "wait", What: "tracking", Timeout: 2 * time.Second}},
		"wait placed 3 1m":       {{Line: 1, Verb: "wait", What: "placed", Count: 3, Timeout: time.Minute}},
		"wait tag a/b t 1s":      {{Line: 1, Verb: "wait", What: "tag", Machine: "a/b", Tag: "t", Timeout: time.Second}},
		"sleep 1500ms":           {{Line: 1, Verb: "sleep", Sleep: 1500 * time.Millisecond}},
		"mark arrow 0.5,0.25 1,0 colour=#ffB72b delay=400ms": {{Line: 1, Verb: "mark", Tool: "arrow",
			Points: []geom.Vec2{{0.5, 0.25}, {1, 0}}, Colour: "#ffB72b", Delay: 400 * time.Millisecond}},
		`mark text .5,.5 text="say \"关闭\" \\ # now"`: {{Line: 1, Verb: "mark", Tool: "text", Points: []geom.Vec2{{0.5, 0.5}}, Text: `say "关闭" \ # now`}},
		"mark gesture:turn-left 0,1":                 {{Line: 1, Verb: "mark", Tool: "gesture:turn-left", Points: []geom.Vec2{{0, 1}}}},
		"mark pin:hall1/pump-7 0,1":                  {{Line: 1, Verb: "mark", Tool: "pin", Machine: "hall1/pump-7", Points: []geom.Vec2{{0, 1}}}},
		"delete last\nundo\r\nquit":                  {{Line: 1, Verb: "delete"}, {Line: 2, Verb: "undo"}, {Line: 3, Verb: "quit"}},
		`screenshot "a b.png"`:                       {{Line: 1, Verb: "screenshot", Path: "a b.png"}},
	} {
		got, err := Parse(strings.NewReader(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestMistakesHaveAPlace(t *testing.T) {
	for text, want := range map[string]string{
		"jump":                         `line 1, column 1: there is no command "jump"`,
		"quit\n  wait sun":             `line 2, column 8: wait knows video, tracking, placed, marks, tag and lost, not "sun"`,
		"wait":                         "line 1, column 5: what to wait for is missing",
		"wait placed many":             `line 1, column 13: "many" is not a number of marks`,
		"sleep soon":                   `line 1, column 7: "soon" is not a time such as 400ms or 2s`,
		"sleep -1s":                    `line 1, column 7: "-1s" is not a time such as 400ms or 2s`,
		"undo twice":                   `line 1, column 6: "twice" is too much here`,
		"mark arrow 0.5,1.5":           `line 1, column 12: "0.5,1.5" is not a point such as 0.5,0.25, from 0 to 1`,
		"mark arrow NaN,0":             `line 1, column 12: "NaN,0" is not a point such as 0.5,0.25, from 0 to 1`,
		"mark stroke 0,0":              "line 1, column 16: stroke has 1 points, want 2 to 2000",
		"mark text 0,0":                `line 1, column 14: a text says something: text="…"`,
		"mark pin 0,0":                 "line 1, column 6: a pin names its machine: pin:AREA/MACHINE",
		"mark gesture:dance 0,0":       `line 1, column 6: there is no gesture "dance"`,
		"mark circle 0,0 colour=red":   `line 1, column 17: "red" is not a colour such as #ffb72b`,
		`pause`:                        "line 1, column 6: text is missing",
		`say "open`:                    "line 1, column 5: a quote is opened and never closed",
		"mark circle 0,0 delay=1e9999": `line 1, column 17: "1e9999" is not a time such as 400ms or 2s`,
	} {
		_, err := Parse(strings.NewReader(text))
		var mistake *Error
		if !errors.As(err, &mistake) || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// FuzzParse wants no crash, a place in every mistake, and nothing out of bounds in what is accepted.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"wait video 1s", "mark arrow 0.1,0.2 0.3,0.4 delay=1s", `mark text 0,0 text="a \" b"`, "mark pin:a/b 1,1\nquit", `say "`, "wait tag a b", "wait placed 99", Help} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		commands, err := Parse(strings.NewReader(text))
		if err != nil {
			var mistake *Error
			if !errors.As(err, &mistake) || mistake.Line < 1 || mistake.Column < 1 {
				t.Fatalf("mistake without a place: %v", err)
			}
			return
		}
		for _, c := range commands {
			for _, p := range c.Points {
				if !(p[0] >= 0 && p[0] <= 1 && p[1] >= 0 && p[1] <= 1) {
					t.Fatalf("point %v", p)
				}
			}
			if c.Timeout < 0 || c.Sleep < 0 || c.Delay < 0 || c.Timeout > longest || c.Sleep > longest || c.Delay > longest {
				t.Fatalf("time out of bounds: %+v", c)
			}
		}
	})
}
