// Package call is what an expert's client knows of a call: who is there, what the machines say, the
// marks, and of each camera the newest picture with the pose of that very frame. It keeps that by the
// relay's client and changes it by the expert's edits; it draws nothing.
package call

import (
	"time"

	"sightline/annotate/scene"
	"sightline/relay/wire"
)

// Room is what is known of a room at one moment. It is a value: who has it may keep it and reads it only.
type Room struct {
	// Version grows with every change of anything below.
	Version uint64
	Name    string
	Self    wire.Participant
	Link    Link
	People  []Person // fields first, then experts, viewers; by name
	// Machines are by name, their tags by title; Reading.Arrived is on this machine's clock.
	Machines []scene.Machine
	Cameras  []Camera // in the order they were first seen
	Chat     []Line   // the oldest first
	// Recorded says whether the room is recorded now. Fault says what is not recorded as it should be; empty where
	// all is. Asked is the question whether this participant may be recorded; empty where it is answered or none.
	Recorded wire.Recorded
	Fault    string
	Asked    string
}

// Link is how the connection to the relay stands.
type Link struct {
	Connected bool
	// Ever says that there was a connection before; Closed that there will be none again.
	Ever, Closed bool
	Reason       string    // why there is none
	Since        time.Time // when it became so
}

// Person is a participant with the time of the last change.
type Person struct {
	wire.Participant
	Since time.Time // this machine's clock
	// Speaking says that the participant speaks now.
	Speaking bool
}

// Interrupted is the Reason of who is in the room, and whose connection is not there at the moment.
const Interrupted = wire.Interrupted

// Camera is a participant's video.
type Camera struct {
	Participant string // ID of the publisher
	Track       string
	Name        string // the publisher's name, for people
	Online      bool   // the publisher is in the room
	Reason      string // why not: left, lost; or that the publisher's connection is interrupted
	Since       time.Time
	Thin        string // what comes of its picture, in words, where the link does not bear all of it
}

// Line is what somebody said.
type Line struct {
	From, Text string
	At         time.Time
}

// Person returns the participant of that ID.
func (r *Room) Person(id string) (Person, bool) {
	for _, p := range r.People {
		if p.ID == id {
			return p, true
		}
	}
	return Person{}, false
}

// Machine returns the machine of that name, or nil.
func (r *Room) Machine(name string) *scene.Machine {
	for i := range r.Machines {
		if r.Machines[i].Machine.Name == name {
			return &r.Machines[i]
		}
	}
	return nil
}
