// Package audit writes down who did what: one line of JSON for each event, appended to DATA/audit.jsonl.
// Several processes may append to it at once; nothing is ever changed or taken out. It holds no token, key or
// password.
//
//	{"time":"2026-03-01T08:15:02.123456Z","what":"joined","room":"hall1","participant":"p-2c","name":"Tom",
//	 "role":"field","address":"192.0.2.7","by":"WHIP","invitation":"3KQ…"}
package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sightline/relay/internal/lines"
)

// What may happen.
const (
	Started        = "relay started"
	Draining       = "relay draining"
	Ended          = "relay ended"
	Joined         = "joined"
	Left           = "left"      // by the participant's own will
	Lost           = "lost"      // for a reason that is given
	CameBack       = "came back" // from another address, without having left; the detail says from which
	Refused        = "refused"
	Published      = "published"
	Invited        = "invited"
	Withdrawn      = "invitation withdrawn"
	Waiting        = "waiting" // in the lobby
	Gone           = "gone"    // from the lobby, without an answer
	Admitted       = "admitted"
	NotAdmitted    = "not admitted"
	Muted          = "muted" // or no longer; the detail says what
	Removed        = "removed"
	Locked         = "locked"
	Unlocked       = "unlocked"
	KeyRotated     = "key rotated"
	KeyRemoved     = "key removed"
	RecordingBegan = "recording began"
	RecordingEnded = "recording ended"
	SealKeyRotated = "seal key rotated"
	CaseHeld       = "case held"
	CaseReleased   = "case released"
	CaseDeleted    = "case deleted"
	CaseExported   = "case exported"
	CasePlayed     = "case played"
	CaseVerified   = "case verified"
	CaseReceived   = "case received" // of a second recorder
	MapKept        = "map kept"      // of a machine; the detail says which
	MapDeleted     = "map deleted"
)

// Event is one line. What is left empty is not written.
type Event struct {
	Time        time.Time `json:"time"` // UTC; Write sets it
	What        string    `json:"what"`
	Room        string    `json:"room,omitempty"`
	Participant string    `json:"participant,omitempty"` // the ID
	Name        string    `json:"name,omitempty"`
	Role        string    `json:"role,omitempty"`
	Rights      []string  `json:"rights,omitempty"`
	Address     string    `json:"address,omitempty"`
	Actor       string    `json:"actor,omitempty"`      // who did it to the participant, or to the room
	By          string    `json:"by,omitempty"`         // the way in: socket, WHIP, WHEP, REST, or a command
	Invitation  string    `json:"invitation,omitempty"` // the token's ID, not the token
	Reason      string    `json:"reason,omitempty"`
	Detail      string    `json:"detail,omitempty"` // the track, the key, the directory
}

// Actor is who does something to a room, to somebody in it, or to an invitation.
type Actor struct {
	Name       string // for people: participants are told
	Invitation string // the ID of the token
	Address    string
	By         string // the way: REST
}

// Event is a line about what an actor did in a room.
func (a Actor) Event(what, room string) Event {
	return Event{What: what, Room: room, Actor: a.Name, Address: a.Address, By: a.By, Invitation: a.Invitation}
}

// Log is the file. Its methods may be called from any goroutine.
type Log struct {
	now func() time.Time

	mu    sync.Mutex
	file  *os.File
	began time.Time // when its first event was
}

// Path is where the log is under a data directory.
func Path(data string) string { return filepath.Join(data, "audit.jsonl") }

// Open opens the log under a data directory, which must be there, to append to it.
func Open(data string, now func() time.Time) (*Log, error) {
	f, err := os.OpenFile(Path(data), os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return &Log{now: now, file: f, began: firstTime(f.Name(), now())}, nil
}

// Write appends an event. When it returns, the line outlives the process.
func (l *Log) Write(e Event) error {
	e.Time = l.now().UTC()
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return errors.New("audit log is closed")
	}
	if err := lines.Append(l.file, line); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

// Close ends writing; what is written is on the disk then.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := errors.Join(l.file.Sync(), l.file.Close())
	l.file = nil
	return err
}

// Once appends one event to the log of a data directory, from a process that is not the relay.
func Once(data string, now func() time.Time, e Event) error {
	l, err := Open(data, now)
	if err != nil {
		return err
	}
	return errors.Join(l.Write(e), l.Close())
}
