package sfu

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pion/webrtc/v4"
)

// Fragment is what a trickled piece of SDP says (RFC 8840): ICE credentials, and candidates.
type Fragment struct {
	Ufrag, Pwd string
	Candidates []webrtc.ICECandidateInit
}

// maxCandidates bounds what one fragment may bring.
const maxCandidates = 64

// ParseFragment reads an application/trickle-ice-sdpfrag body. Errors name what is wrong.
func ParseFragment(body string) (Fragment, error) {
	var f Fragment
	var mid *string
	for line := range strings.SplitSeq(body, "\n") {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r"), ":")
		switch {
		case key == "a=ice-ufrag" && f.Ufrag == "":
			f.Ufrag = value
		case key == "a=ice-pwd" && f.Pwd == "":
			f.Pwd = value
		case key == "a=mid":
			mid = &value
		case key == "a=candidate":
			if len(f.Candidates) == maxCandidates {
				return Fragment{}, fmt.Errorf("more than %d candidates in one fragment", maxCandidates)
			}
			f.Candidates = append(f.Candidates, webrtc.ICECandidateInit{Candidate: "candidate:" + value, SDPMid: mid})
		}
	}
	if !iceChars(f.Ufrag, 4) || !iceChars(f.Pwd, 22) {
		return Fragment{}, errors.New("fragment without a=ice-ufrag (4 to 256 letters, digits, + and /) and a=ice-pwd (22 to 256)")
	}
	return f, nil
}

// iceChars says whether s is made of at least so many ice-chars (RFC 8839, section 5.4).
func iceChars(s string, least int) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '+' && c != '/' {
			return false
		}
	}
	return len(s) >= least && len(s) <= 256
}

// Trickle takes candidates of the path that is negotiated. The relay is ICE-lite and needs none; they are
// for its log of the path.
func (g *Guest) Trickle(f Fragment) error {
	if f.Ufrag != attribute(g.pc.RemoteDescription().SDP, "a=ice-ufrag:") {
		return errors.New("the fragment belongs to another path: its ice-ufrag is not the offer's")
	}
	for _, c := range f.Candidates {
		if strings.Contains(c.Candidate, ".local ") {
			continue // a name that only the browser's own network can resolve
		}
		if err := g.pc.AddICECandidate(c); err != nil {
			return fmt.Errorf("candidate %.100q: %w", c.Candidate, err)
		}
	}
	return nil
}

// Restart moves the connection to a new path, with new credentials on both sides, and returns the relay's
// as a fragment. Media goes on, unbroken, once the client has checked the path.
func (g *Guest) Restart(f Fragment) (string, error) {
	var out []string
	for line := range strings.SplitSeq(g.pc.RemoteDescription().SDP, "\r\n") {
		switch {
		case strings.HasPrefix(line, "a=ice-ufrag:"):
			line = "a=ice-ufrag:" + f.Ufrag
		case strings.HasPrefix(line, "a=ice-pwd:"):
			line = "a=ice-pwd:" + f.Pwd
		case strings.HasPrefix(line, "a=candidate:"), strings.HasPrefix(line, "a=end-of-candidates"):
			continue
		}
		out = append(out, line)
	}
	answer, err := g.answer(strings.Join(out, "\r\n"))
	if err != nil {
		return "", err
	}
	return fragmentOf(answer), nil
}

// fragmentOf takes the credentials and the first section's candidates out of a description.
func fragmentOf(description string) string {
	out := []string{"a=ice-lite", "a=ice-ufrag:" + attribute(description, "a=ice-ufrag:"), "a=ice-pwd:" + attribute(description, "a=ice-pwd:")}
	media := 0
	for line := range strings.SplitSeq(description, "\r\n") {
		if strings.HasPrefix(line, "m=") {
			media++
		}
		if media == 1 && (strings.HasPrefix(line, "m=") || strings.HasPrefix(line, "a=mid:") ||
			strings.HasPrefix(line, "a=candidate:") || line == "a=end-of-candidates") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\r\n") + "\r\n"
}

// attribute returns the value of the first line with a prefix.
func attribute(description, prefix string) string {
	_, after, _ := strings.Cut(description, "\r\n"+prefix)
	value, _, _ := strings.Cut(after, "\r\n")
	return value
}
