package sfu

import (
	"strings"
	"testing"
)

func TestParseFragment(t *testing.T) {
	f, err := ParseFragment("a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n" +
		"a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n")
	if err != nil || f.Ufrag != "EsAw" || f.Pwd != "P2uYro0UCOQ4zxjKXaWCBui1" || len(f.Candidates) != 1 || *f.Candidates[0].SDPMid != "0" ||
		!strings.HasPrefix(f.Candidates[0].Candidate, "candidate:1387637174 ") {
		t.Errorf("%+v, %v", f, err)
	}
	for _, bad := range []string{"", "a=ice-ufrag:EsAw", "a=ice-ufrag:E\x00Aw\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
		"a=ice-ufrag:EsAw\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\n" + strings.Repeat("a=candidate:1\n", 65)} {
		if _, err := ParseFragment(bad); err == nil {
			t.Errorf("took %.60q", bad)
		}
	}
}

// What is taken can be written into a description without becoming another line of it.
func FuzzParseFragment(f *testing.F) {
	f.Add("a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n")
	f.Add("a=ice-ufrag:EsAw\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\ra=x")
	f.Fuzz(func(t *testing.T, body string) {
		if got, err := ParseFragment(body); err == nil && strings.ContainsAny(got.Ufrag+got.Pwd, "\r\n") {
			t.Fatalf("%+v", got)
		}
	})
}

// No offer makes the reading of its sections fail in another way than by an error.
func FuzzSections(f *testing.F) {
	f.Add("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=sendonly\r\n")
	f.Fuzz(func(t *testing.T, offer string) {
		_, _, _ = offeredTracks(offer)
		_, _ = offeredSlots(offer)
	})
}
