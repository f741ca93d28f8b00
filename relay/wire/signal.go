package wire

import (
	"encoding/json"
	"fmt"
)

// SignalType is the first word of a message on the signalling socket.
type SignalType string

// The words of the signalling socket. The relay always makes the offers, so offers never cross:
//
//	client  GET /ws, "Authorization: Bearer TOKEN" (a browser: /ws?token=TOKEN), and optionally a
//	        "Sightline-Client" header (client=…) with a secret that lets it return as itself
//	relay   307       the room is on another relay: ask there, with the token only over https, on loopback, or at one of
//	                  the relays that a welcome has named
//	relay   waiting   a moderator has to let you in, in words for people; again every few seconds until then
//	relay   welcome   who you are, which room, when its session began
//	client  publish   the tracks the client will send, possibly none; again to add tracks
//	relay   offer     SDP with every candidate, and what each media section is
//	client  answer    SDP with every candidate
//	client  show      how large the client shows pictures, so that it gets no more than it has a use for; again when that changes
//	relay   wanted    which tracks somebody takes, of a picture that the client publishes in several sizes; the largest is
//	                  always among them. The others need not be sent, and it is as well if they are not even encoded
//	client  sends     which sizes the client's link bears: the relay asks for no other
//	relay   rung      how much of a track the client's link bears, in words for people too
//	client  restart   the network path carries nothing any more, or the client's address is another: offer a new one
//	either  error     a code for programs and a text for people; the socket may be closed after it
//
// A session outlives its socket, so that who changes networks neither leaves nor joins:
//
//	client  GET /ws, with "Sightline-Resume: new" (resume=new): it knows how to come back. The welcome then names the
//	        session, and how many seconds it is kept after its socket was lost
//	either  numbers what it says with n, from 1; the other end takes each number once, in order
//	client  GET /ws, with the same token and secret and "Sightline-Resume: SESSION N": N is the number that it has
//	        heard last. The older socket is closed, also where it still seems to live
//	relay   resumed   the session goes on; heard is the number that it has heard last. Both say again what came after.
//	                  Where the client's address has changed the relay's next offer is an ICE restart (RFC 8445,
//	                  section 9); else the client asks for one, where its path is dead
//	relay   welcome   there is no such session any more, or it is somebody else's: the client joins anew
//
// What the log and the media were is the session's: the PeerConnection, its tracks and its data channels stay. An
// answer to a WebSocket ping says that all which was sent before it was heard, and need not be kept.
//
// The relay offers again whenever tracks come or go, one offer at a time. A media section is a slot: it
// stays when its track goes, and may carry another participant's track later, which the offer's table
// says first. A slot that the table leaves out is idle.
const (
	SignalWelcome SignalType = "welcome"
	SignalPublish SignalType = "publish"
	SignalOffer   SignalType = "offer"
	SignalAnswer  SignalType = "answer"
	SignalError   SignalType = "error"
	SignalShow    SignalType = "show"    // the client's: how large it shows pictures
	SignalWanted  SignalType = "wanted"  // the relay's: which sizes of a picture somebody takes
	SignalSends   SignalType = "sends"   // the client's: which sizes its link bears
	SignalRung    SignalType = "rung"    // the relay's: what of a track the client's link bears
	SignalWaiting SignalType = "waiting" // the relay's, before the welcome: the client is in the lobby
	SignalResumed SignalType = "resumed" // the relay's, in place of the welcome: the session goes on
	SignalRestart SignalType = "restart" // the client's: it wants a new network path
)

// The rungs of the ladder, from the top: what a receiver gets of a picture. Sound and marks come on all.
const (
	RungFull      = "full"
	RungSmall     = "small"      // a smaller picture, where its publisher sends several
	RungFewer     = "fewer"      // fewer pictures a second, where the codec has temporal layers
	RungKeyFrames = "key-frames" // a still picture every few seconds
	RungStills    = "stills"     // the same over the data channel, as slowly as the link is
	RungOff       = "off"        // sound and marks alone
)

// The codes of error messages.
const (
	CodeBadMessage = "bad-message" // it could not be read; nothing was done
	CodeTooLarge   = "too-large"   // it is larger than MaxMessage or MaxSignal
	CodeTooMany    = "too-many"    // they come faster than the relay lets one participant speak
	CodeForbidden  = "forbidden"   // this role may not do that
	CodeReplaced   = "replaced"    // the same client has joined again; this socket is closed
	CodeRemoved    = "removed"     // a moderator has sent the client away, or not let it in; the socket is closed
	CodeBadSDP     = "bad-sdp"     // the answer does not fit the offer; the socket is closed
	CodeInternal   = "internal"    // the relay could not do it; its log says why
	CodeClosing    = "closing"     // the relay is going down; come back
	CodeMoved      = "moved"       // the room goes to another relay; come back, and be led there
)

// MaxSignal is the size in bytes past which a signalling message is refused.
const MaxSignal = 256 << 10

// The kinds of tracks.
const (
	Video = "video"
	Audio = "audio"
)

// Signal is one message on the signalling socket, JSON in a text frame:
//
//	{"type":"welcome","self":{…},"room":"hall-3","session_began":1700000000123456,"session_time":81234567}
//	{"type":"publish","tracks":[{"name":"camera","kind":"video"}]}
//	{"type":"offer","sdp":"v=0…","tracks":[{"mid":"1","participant":"p-2c","name":"camera","kind":"video","codec":"video/H264"}]}
//	{"type":"answer","sdp":"v=0…"}
//	{"type":"publish","tracks":[{"name":"camera","kind":"video"},{"name":"camera-half","kind":"video","of":"camera"}]}
//	{"type":"wanted","names":["camera","camera-half"]}
//	{"type":"show","show":[{"participant":"p-2c","name":"camera","width":320},{"participant":"p-7e","name":"camera","most":"off"}]}
//	{"type":"error","code":"forbidden","text":"a viewer may not draw","msg":"01J…"}
//	{"type":"resumed","heard":7}
type Signal struct {
	Type SignalType `json:"type"`
	// N is the message's number in its session, from 1; 0 of who cannot resume, and in resumed.
	N int64 `json:"n,omitempty"`
	// Session names the session in a welcome, for who can resume; Keep is how long it is kept without a socket, seconds.
	Session string `json:"session,omitempty"`
	Keep    int    `json:"keep,omitempty"`
	// Heard is in resumed the number that the relay has heard last.
	Heard int64 `json:"heard,omitempty"`
	// Self and Room say in a welcome who the client is and where.
	Self *Participant `json:"self,omitempty"`
	Room string       `json:"room,omitempty"`
	// SessionBegan is when the room's session began, µs since the Unix epoch on the relay's clock;
	// SessionTime is the session time when the welcome was written, µs.
	SessionBegan int64 `json:"session_began,omitempty"`
	SessionTime  int64 `json:"session_time,omitempty"`
	// Relays are where the relays of a cluster are reached, in a welcome: each leads to the room's. The first has the
	// room now.
	Relays []string `json:"relays,omitempty"`
	// Tracks are what a client publishes, or what the media sections of an offer are.
	Tracks []SignalTrack `json:"tracks,omitempty"`
	SDP    string        `json:"sdp,omitempty"`
	// Names are those of the tracks that a wanted, or a sends, is about.
	Names []string `json:"names,omitempty"`
	// Show says how large the client shows tracks. Those that it does not name are shown as it last said, or, where it
	// never did, whole.
	Show []Shown `json:"show,omitempty"`
	// Code and Text say what is wrong; Msg names the log message it is about, where it is about one.
	Code string `json:"code,omitempty"`
	Text string `json:"text,omitempty"`
	Msg  string `json:"msg,omitempty"`
	// Participant and Name say whose track, and which, a rung is about; Rung is one of the above, Text says
	// it to people.
	Participant string `json:"participant,omitempty"`
	Name        string `json:"name,omitempty"`
	Rung        string `json:"rung,omitempty"`
}

// SignalTrack is one track in a publish or an offer.
type SignalTrack struct {
	// MID is the media section; Up says that the client sends on it, the rest is received.
	MID string `json:"mid,omitempty"`
	Up  bool   `json:"up,omitempty"`
	// Participant is who publishes it; empty in a publish.
	Participant string `json:"participant,omitempty"`
	Name        string `json:"name"`
	Kind        string `json:"kind"`            // video or audio
	Codec       string `json:"codec,omitempty"` // "video/H264", "audio/opus"; empty on the way up
	// Of says in a publish that the track is a smaller size of another one, named before it; of several the larger comes
	// first. To the others in the room they are one track, of that name.
	Of string `json:"of,omitempty"`
}

// Shown is how large a client shows a picture.
type Shown struct {
	Participant string `json:"participant"`
	Name        string `json:"name"`
	// Width is in pixels of the screen; 0 where the whole picture is wanted, however large.
	Width int `json:"width,omitempty"`
	// Most is the best rung that the client has a use for: RungKeyFrames, RungOff where the picture is not seen, or
	// empty for all that its link bears.
	Most string `json:"most,omitempty"`
}

// MaxShown is how many pictures one message may speak of.
const MaxShown = 64

func validShown(show []Shown) error {
	if len(show) > MaxShown {
		return fmt.Errorf("show of %d tracks, at most %d", len(show), MaxShown)
	}
	for _, s := range show {
		switch {
		case s.Participant == "" || len(s.Participant) > 64 || !isName(s.Name):
			return fmt.Errorf("show of %.64q's track %.80q: there is none of that name", s.Participant, s.Name)
		case s.Width < 0 || s.Width > 1<<16:
			return fmt.Errorf("show %q at a width of %d pixels", s.Name, s.Width)
		case s.Most != "" && s.Most != RungKeyFrames && s.Most != RungOff:
			return fmt.Errorf("show %q at most %.40q, want %s, %s or nothing", s.Name, s.Most, RungKeyFrames, RungOff)
		}
	}
	return nil
}

// DecodeSignal reads one signalling message. Errors name what is wrong.
func DecodeSignal(data []byte) (Signal, error) {
	if len(data) > MaxSignal {
		return Signal{}, fmt.Errorf("signalling message of %d bytes, at most %d are taken", len(data), MaxSignal)
	}
	var s Signal
	if err := json.Unmarshal(data, &s); err != nil {
		return Signal{}, fmt.Errorf("signalling message is not JSON as it should be: %w", err)
	}
	return s, s.Valid()
}

// Valid returns an error that names the first field that cannot be, or nil.
func (s Signal) Valid() error {
	if s.N < 0 {
		return fmt.Errorf("%.40s has the number %d", s.Type, s.N)
	}
	switch s.Type {
	case SignalWelcome:
		if s.Self == nil || s.Self.ID == "" {
			return fmt.Errorf("welcome without a self")
		}
	case SignalPublish:
		return validTracks(s.Tracks)
	case SignalOffer, SignalAnswer:
		if s.SDP == "" {
			return fmt.Errorf("%s without an sdp", s.Type)
		}
	case SignalShow:
		return validShown(s.Show)
	case SignalWanted, SignalSends:
		if len(s.Names) > MaxTracks {
			return fmt.Errorf("%s of %d tracks, at most %d", s.Type, len(s.Names), MaxTracks)
		}
	case SignalError, SignalWaiting, SignalRestart:
	case SignalResumed:
		if s.Heard < 0 {
			return fmt.Errorf("resumed after the number %d", s.Heard)
		}
	case SignalRung:
		if s.Participant == "" || s.Name == "" || s.Rung == "" {
			return fmt.Errorf("rung without a participant, a name and a rung")
		}
	case "":
		return fmt.Errorf("signalling message has no type")
	default:
		return fmt.Errorf("signalling message has the unknown type %.40q", string(s.Type))
	}
	return nil
}

// MaxTracks is how many tracks a client may publish.
const MaxTracks = 8

func validTracks(tracks []SignalTrack) error {
	if len(tracks) > MaxTracks {
		return fmt.Errorf("publish of %d tracks, at most %d", len(tracks), MaxTracks)
	}
	seen, whole := map[string]bool{}, map[string]bool{}
	for _, t := range tracks {
		switch {
		case !isName(t.Name):
			return fmt.Errorf("track name %.80q: letters, digits, - and _ only, at most 64", t.Name)
		case t.Kind != Video && t.Kind != Audio:
			return fmt.Errorf("track %q is of kind %.40q, want video or audio", t.Name, t.Kind)
		case seen[t.Name]:
			return fmt.Errorf("track %q is published twice in one message", t.Name)
		case t.Of != "" && (t.Kind != Video || !whole[t.Of]):
			return fmt.Errorf("track %q is a smaller size of %.80q, which is no picture named before it", t.Name, t.Of)
		}
		seen[t.Name], whole[t.Name] = true, t.Kind == Video && t.Of == ""
	}
	return nil
}

// Encode writes the message.
func (s Signal) Encode() ([]byte, error) { return json.Marshal(s) }
