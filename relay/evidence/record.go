package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Format is the version of the case format that this package writes.
const Format = 1

// The files of every case.
const (
	ManifestFile = "manifest.json"
	ChainFile    = "chain.jsonl"
	LogFile      = "log.jsonl"
	// KeyFile is the key of an encrypted case, encrypted to those who may read it.
	KeyFile = "case.key.age"
)

// The kinds of records in the chain. FORMAT.md says what each is for.
const (
	KindBegin     = "begin"
	KindTrack     = "track"
	KindPieces    = "pieces"
	KindGap       = "gap"
	KindClock     = "clock"
	KindConsent   = "consent"
	KindHead      = "head"
	KindLogged    = "logged"
	KindStamp     = "stamp"
	KindUnstamped = "unstamped"
	KindRecovered = "recovered"
	KindEnd       = "end"
	KindDeleted   = "deleted"
	KindStandby   = "standby"
	KindReceived  = "received"
)

// Record is one line of the chain. N counts from 0; Prev is the SHA-256 of the line before, in hex, and 64
// zeros for the first.
type Record struct {
	N    uint64 `json:"n"`
	Prev string `json:"prev"`
	Kind string `json:"kind"`
	// At is session time, µs; UTC the wall clock of the recorder. Heads and what follows from them have neither.
	At  int64  `json:"at,omitempty"`
	UTC string `json:"utc,omitempty"`

	Case    *About   `json:"case,omitempty"`    // begin
	Track   *Track   `json:"track,omitempty"`   // track
	Pieces  []Piece  `json:"pieces,omitempty"`  // pieces
	Gap     *Gap     `json:"gap,omitempty"`     // gap
	Jump    int64    `json:"jump,omitempty"`    // clock: by how much the wall clock was set, µs
	Consent *Consent `json:"consent,omitempty"` // consent
	Note    string   `json:"note,omitempty"`    // head: what was signed, and the signature
	Logged  *Logged  `json:"logged,omitempty"`  // logged
	Stamp   []byte   `json:"stamp,omitempty"`   // stamp: the authority's response, DER
	Cut     []Cut    `json:"cut,omitempty"`     // recovered
	Standby *Standby `json:"standby,omitempty"` // standby
	Key     string   `json:"key,omitempty"`     // received: of the relay that signs from here on
	// Keys, where somebody begins or goes on to sign, are the successions of keys up to then.
	Keys []string `json:"keys,omitempty"`
	Who  string   `json:"who,omitempty"` // deleted, received
	Why  string   `json:"why,omitempty"` // unstamped, recovered, deleted
	// Stamped, in the end record, says that a stamp, or the reason why there is none, comes after it.
	Stamped bool `json:"stamped,omitempty"`
}

// About says what a case is of.
type About struct {
	Format       int    `json:"format"`
	ID           string `json:"id"`
	Room         string `json:"room"`
	SessionBegan int64  `json:"session_began"` // µs since the Unix epoch, the relay's clock
	// Start is the session time at which the recording began, µs. Time 0 of every track is this moment.
	Start int64  `json:"start"`
	UTC   string `json:"utc"` // of Start
	// Key verifies the case's heads. Whoever verifies brings the key along and does not take it from here.
	Key string `json:"key"`
	// Encrypted says that the pieces are encrypted with age.
	Encrypted bool `json:"encrypted,omitempty"`
	// Standby is the participant on whose side this was recorded, by a second recorder with a key of its own; empty
	// for a relay's own case.
	Standby string `json:"standby,omitempty"`
}

// Standby names a case that a participant's second recorder writes of the same session.
type Standby struct {
	Participant string `json:"participant"`
	Name        string `json:"name"`
	Case        string `json:"case"` // its ID
	Key         string `json:"key"`  // verifies its heads
}

// Track is one file of one track. A publisher that comes back or changes its picture begins another file.
type Track struct {
	File        string `json:"file"`  // fragmented MP4
	Table       string `json:"table"` // its frames: see Frame
	Participant string `json:"participant"`
	Name        string `json:"name"` // of the participant
	Role        string `json:"role"`
	TrackName   string `json:"track"`
	Kind        string `json:"kind"`      // audio or video
	Codec       string `json:"codec"`     // MIME type
	Timescale   int    `json:"timescale"` // of the file, per second
	Width       int    `json:"width,omitempty"`
	Height      int    `json:"height,omitempty"`
}

// Piece is a run of bytes of one file, sealed together: whole fragments, whole lines.
type Piece struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	// Plain is the size before encryption, where there is one.
	Plain int64 `json:"plain,omitempty"`
	From  int64 `json:"from"`            // session time, µs
	To    int64 `json:"to"`              // session time, µs
	Items int   `json:"items,omitempty"` // frames or messages
}

// Gap is something that is not in the case, on purpose or not.
type Gap struct {
	What string `json:"what"` // a track's file, or "session"
	From int64  `json:"from"` // session time, µs
	To   int64  `json:"to"`   // session time, µs
	Who  string `json:"who"`  // a participant, or "relay"
	Why  string `json:"why"`
}

// Consent is what a participant said to being recorded.
type Consent struct {
	Participant string `json:"participant"`
	Name        string `json:"name"`
	Given       bool   `json:"given"`
	Text        string `json:"text"` // what was asked
}

// Cut is what recovery took off the end of a file, because it had not been sealed.
type Cut struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
}

// Logged proves that a head is in the relay's transparency log.
type Logged struct {
	Index int64            `json:"index"` // of the head, in the log
	Proof tlog.RecordProof `json:"proof"` // that it is in the tree of the checkpoint
	// Consistency proves that this tree continues the one of the checkpoint before, in this case.
	Consistency tlog.TreeProof `json:"consistency,omitempty"`
	Checkpoint  string         `json:"checkpoint"` // signed
}

// alwaysPlain says that a file is not encrypted in an encrypted case.
func alwaysPlain(name string) bool { return name == ManifestFile || name == KeyFile }

// zeroHash stands before the first line.
var zeroHash = hex.EncodeToString(make([]byte, sha256.Size))

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// encode returns the line without its newline.
func (r Record) encode() ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", r.N, err)
	}
	return data, nil
}

var errNotCanonical = errors.New("is not written as a record is")

// ParseRecord reads a line without its newline. A record has exactly one way to be written.
func ParseRecord(line []byte) (Record, error) {
	var r Record
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return Record{}, err
	}
	again, err := r.encode()
	if err != nil {
		return Record{}, err
	}
	if !bytes.Equal(again, line) {
		return r, errNotCanonical
	}
	return r, nil
}

// wall reads the record's wall clock; ok is false where it has none.
func (r Record) wall() (at time.Time, ok bool) {
	if r.UTC == "" {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, r.UTC)
	return at, err == nil
}
