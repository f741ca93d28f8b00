package policy

import (
	"strings"
	"testing"
)

func TestTheFirstMatchHolds(t *testing.T) {
	no := false
	all := Rooms{{Match: "visitors-*", Lobby: true, Max: 4, Record: &no}, {Match: "hall?", Consent: true}, {Match: "hall1", Max: 1}}
	for room, want := range map[string]struct {
		lobby, recorded, consent bool
		most                     int
	}{
		"visitors-7": {lobby: true, most: 4},
		"hall1":      {recorded: true, consent: true},
		"other":      {recorded: true},
	} {
		if got := all.Of(room); got.Lobby != want.lobby || got.Recorded() != want.recorded || got.Consent != want.consent || got.Max != want.most {
			t.Errorf("%s: %+v, want %+v", room, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		room Room
		want string
	}{{Room{}, "match is missing"}, {Room{Match: "[a"}, "no pattern"}, {Room{Match: "*", Max: -1}, "max-participants"}, {Room{Match: "*"}, ""}} {
		if err := c.room.Check(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.room, err, c.want)
		}
	}
}
