// Package wire is what travels between participants and the relay: the envelope of every small
// message, the words of the signalling socket, and the capture time of every frame.
//
// An envelope is JSON, so that evidence can be read with a text editor:
//
//	{"v":1,"kind":"mark","id":"m-7f3a","msg":"01J…","from":"p-2c","time":81234567,"seq":42,
//	 "captured":1700000000123456,"body":{…}}
//
// Fields and kinds that this version does not know pass through untouched. A field that differs from one of the above
// in case alone is refused: encoding/json would take it for that one, other readers would not.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Version is the envelope version that this package writes.
const Version = 1

// MaxMessage is the size in bytes past which a message is refused. A stroke of 2,000 points is 40 kB.
const MaxMessage = 256 << 10

// MaxLogged is the size in bytes past which the log refuses a message: with its place in the log it is still no larger
// than MaxMessage.
const MaxLogged = MaxMessage - 32

// ErrTooLarge says that a message is larger than MaxLogged.
var ErrTooLarge = errors.New("message is too large for the log")

// Envelope is one small message. The log is a set of last-writer-wins registers, one for each
// (Kind, ID); of two messages for the same register the one with the greater (Time, From, Msg) holds.
type Envelope struct {
	V    int    `json:"v"`
	Kind string `json:"kind"`
	// ID names what the message is about, within its kind: a mark, a participant, a tag.
	ID string `json:"id"`
	// Msg is unique to this message; the sender makes it and resends under the same name.
	Msg string `json:"msg"`
	// From is the sender's participant ID. The relay writes it, whatever the sender claims.
	From string `json:"from"`
	// Time is session time in microseconds, as the sender estimates it; never in the relay's future.
	Time int64 `json:"time"`
	// Seq is the position in the room log, given by the relay; 0 where the message is not in the log.
	Seq uint64 `json:"seq,omitempty"`
	// Captured names the frame the message speaks of: microseconds on the publisher's clock.
	Captured int64           `json:"captured,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
	// Extra holds the fields that this version does not know.
	Extra map[string]json.RawMessage `json:"-"`
}

// The kinds that this version writes. Where the body is defined stands beside it.
const (
	KindMark        = "mark"        // annotate.Mark: what an author drew
	KindAnchor      = "anchor"      // annotate.Anchor: where the tracker put it in the world
	KindParticipant = "participant" // Participant: who is here
	KindWatch       = "watch"       // Watch: this room wants a machine's telemetry
	KindMachine     = "machine"     // devices.Machine: units and limits, as the machine was born
	KindTag         = "tag"         // devices.Reading: the last value of a tag
	KindAlarm       = "alarm"       // devices.Alarm
	KindChat        = "chat"        // Chat
	KindSnapshot    = "snapshot"    // Snapshot: somebody kept a picture of the frame captured
	KindRoom        = "room"        // Room: whether it is locked
	KindMuted       = "muted"       // Muted: what of a participant is not passed on; the ID is the participant's
	KindLobby       = "lobby"       // Lobby: who asks to be let in, and the answer; the ID is the participant's
	KindConsent     = "consent"     // Consent: to being recorded; the ID is the participant's
	KindPrivacy     = "privacy"     // Privacy: the recording is to pause, or to go on; the ID is "session"
	KindRecorded    = "recorded"    // Recorded: whether the room is recorded now, from the relay alone; the ID is "session"
	KindStandby     = "standby"     // Standby: a participant's second recorder writes a case; the ID is the case's
	KindFault       = "recording"   // Fault: something is not recorded as it should be; the ID is what
	KindPose        = "pose"        // vision.PoseMessage, on the pose channel
	KindPointer     = "pointer"     // annotate.Pointer, on the pointer channel
	KindSpeaking    = "speaking"    // Speaking, from the relay alone on the pointer channel: who speaks now
	KindPing        = "ping"        // Ping, on the pointer channel, answered to its sender only
	KindPong        = "pong"        // Ping with the relay's times filled in
)

// Labels and fixed stream IDs of the four data channels; both sides make them, negotiated.
const (
	ChannelLog     = "log"     // reliable, ordered
	ChannelPose    = "pose"    // unordered, no retransmits
	ChannelPointer = "pointer" // unordered, no retransmits
	ChannelStill   = "still"   // unordered, retransmitted for StillTime: stills, in chunks (StillChunk)

	ChannelLogID     uint16 = 0
	ChannelPoseID    uint16 = 1
	ChannelPointerID uint16 = 2
	ChannelStillID   uint16 = 3
)

// StillTime is how long, in milliseconds, a chunk of a still is sent again until it has come. Without that hardly a
// still would come whole over a link that loses every tenth packet, and those are the links that get stills.
const StillTime uint16 = 10_000

// Participant is the body of KindParticipant: who is in the room, and since or until when.
type Participant struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Role   string `json:"role"` // field, expert or viewer
	Online bool   `json:"online"`
	// Reason says why a participant is offline: left, lost. Of one who is online it may be one of the following.
	Reason string `json:"reason,omitempty"`
}

// What is said of a participant's connection while he is online.
const (
	Interrupted = "interrupted" // it is; he may come back
	Back        = "back"        // it was: he is there again, and has neither left nor joined
)

// Room is the body of KindRoom, which only the relay writes.
type Room struct {
	Locked bool   `json:"locked"`
	By     string `json:"by,omitempty"` // the moderator's name
}

// Muted is the body of KindMuted, which only the relay writes: what of a participant's it does not pass on.
type Muted struct {
	Audio bool   `json:"audio"`
	Video bool   `json:"video"`
	By    string `json:"by,omitempty"` // the moderator's name
}

// Lobby is the body of KindLobby, which only the relay writes.
type Lobby struct {
	State string `json:"state"` // LobbyWaiting and the others
	Name  string `json:"name"`
	Role  string `json:"role"`
	By    string `json:"by,omitempty"` // the moderator's name, where one has answered
	// Invitation is the ID of the one that was used.
	Invitation string `json:"invitation,omitempty"`
}

// The states of somebody who asks to be let in.
const (
	LobbyWaiting  = "waiting"
	LobbyAdmitted = "admitted" // may come in, also again
	LobbyRefused  = "refused"
	LobbyRemoved  = "removed" // was in the room; whoever comes with the same invitation asks again
	LobbyGone     = "gone"    // went before there was an answer
)

// Speaking is the body of KindSpeaking. It is told when it changes, and again every second for a while: messages of its
// channel may be lost. It is not in the log.
type Speaking struct {
	Participants []string `json:"participants"` // their IDs, in order
}

// Watch is the body of KindWatch; the envelope's ID is the machine, "<area>/<machine>".
type Watch struct {
	On bool `json:"on"`
}

// Consent is the body of KindConsent. The relay asks, where the room's policy wants it; the participant answers
// under its own ID. Nothing of a participant is recorded before the answer is ConsentGiven.
type Consent struct {
	State string `json:"state"` // ConsentAsked, ConsentGiven or ConsentRefused
	Text  string `json:"text,omitempty"`
}

// The states of a consent.
const (
	ConsentAsked   = "asked"
	ConsentGiven   = "given"
	ConsentRefused = "refused"
)

// Privacy is the body of KindPrivacy.
type Privacy struct {
	On  bool   `json:"on"` // nothing is recorded while it is
	Why string `json:"why,omitempty"`
}

// Recorded is the body of KindRecorded: what a recording sign shows.
type Recorded struct {
	On     bool   `json:"on"`
	Paused bool   `json:"paused,omitempty"`
	Who    string `json:"who,omitempty"` // paused it: a participant's ID
	Why    string `json:"why,omitempty"`
	// Consent says that nothing of a participant is to be recorded before the participant has agreed, and EncryptTo to
	// whom (age) recordings are encrypted: second recorders keep to both.
	Consent   bool     `json:"consent,omitempty"`
	EncryptTo []string `json:"encrypt_to,omitempty"`
}

// Standby is the body of KindStandby: the sender records the session too, into a case with a key of its own.
type Standby struct {
	Key string `json:"key"` // verifies the case's heads
}

// Fault is the body of KindFault, which only the relay writes.
type Fault struct {
	Text string `json:"text"`
	// Over says that what the text tells of has ended, and everything of the ID is recorded again.
	Over bool `json:"over,omitempty"`
}

// Chat is the body of KindChat.
type Chat struct {
	Text string `json:"text"`
}

// Snapshot is the body of KindSnapshot. The picture itself is the recording's frame of that name, at its full size.
type Snapshot struct {
	Camera string `json:"camera"` // participant whose frame it is
}

// Ping is the body of KindPing and KindPong, times as NTP has them: the sender's clock at departure
// (T0, µs, sender's own clock) and the relay's session time when it arrived and left (T1, T2, µs).
type Ping struct {
	T0 int64 `json:"t0"`
	T1 int64 `json:"t1,omitempty"`
	T2 int64 `json:"t2,omitempty"`
}

var errNoKind = errors.New("message has no kind")

// Decode reads one envelope. Errors name what is wrong; nothing of a refused message is kept.
func Decode(data []byte) (Envelope, error) {
	if len(data) > MaxMessage {
		return Envelope{}, fmt.Errorf("message of %d bytes, at most %d are taken", len(data), MaxMessage)
	}
	var e Envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return Envelope{}, fmt.Errorf("message is not an envelope: %w", err)
	}
	return e, e.Valid()
}

// Valid returns an error that names the first field that cannot be, or nil.
func (e Envelope) Valid() error {
	switch {
	case e.Kind == "":
		return errNoKind
	case !isName(e.Kind):
		return fmt.Errorf("kind %q: letters, digits, - and _ only, at most 64", e.Kind)
	case len(e.ID) > 256:
		return fmt.Errorf("id of %d bytes, at most 256", len(e.ID))
	case len(e.Msg) > 64:
		return fmt.Errorf("msg of %d bytes, at most 64", len(e.Msg))
	}
	return nil
}

func isName(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// Encode writes the envelope. It fails only where Body or Extra is not JSON.
func (e Envelope) Encode() ([]byte, error) { return e.MarshalJSON() }

// Newer says whether e wins over old on the same (Kind, ID): the later time, then the greater sender,
// then the greater message name, so that all replicas agree whatever order they heard them in.
func (e Envelope) Newer(old Envelope) bool {
	switch {
	case e.Time != old.Time:
		return e.Time > old.Time
	case e.From != old.From:
		return e.From > old.From
	}
	return e.Msg > old.Msg
}

// envelope is Envelope without its methods, so that encoding/json does the known fields.
type envelope Envelope

var knownFields = []string{"v", "kind", "id", "msg", "from", "time", "seq", "captured", "body"}

// known returns the known field that encoding/json would take f for, or "".
func known(f string) string {
	if i := slices.IndexFunc(knownFields, func(k string) bool { return strings.EqualFold(k, f) }); i >= 0 {
		return knownFields[i]
	}
	return ""
}

// UnmarshalJSON keeps the unknown fields in Extra.
func (e *Envelope) UnmarshalJSON(data []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	for _, f := range knownFields {
		delete(all, f)
	}
	for f := range all {
		if k := known(f); k != "" {
			return fmt.Errorf("field %q is written %q", k, f)
		}
	}
	var taken envelope
	if err := json.Unmarshal(data, &taken); err != nil {
		return err
	}
	*e = Envelope(taken)
	if len(all) > 0 {
		e.Extra = all
	}
	return nil
}

// MarshalJSON writes the unknown fields back.
func (e Envelope) MarshalJSON() ([]byte, error) {
	out, err := plain(envelope(e))
	if err != nil || len(e.Extra) == 0 {
		return out, err
	}
	rest := maps.Clone(e.Extra)
	maps.DeleteFunc(rest, func(f string, _ json.RawMessage) bool { return known(f) != "" })
	extra, err := plain(rest)
	if err != nil || len(rest) == 0 {
		return out, err
	}
	out = append(out[:len(out)-1], ',')
	return append(out, extra[1:]...), nil
}

// plain writes JSON without the escapes that HTML wants: they would make six bytes of each <, > and &.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
