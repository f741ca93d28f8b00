package room

import (
	"fmt"

	"sightline/relay/internal/auth"
	"sightline/relay/wire"
)

// The rights of the roles:
//
//	            log                                   pose  pointer  tracks
//	field       all but the relay's own kinds         yes   yes      yes
//	expert      the same, without anchors             no    yes      yes
//	viewer      chat                                  no    no       no
//
// The relay's own kinds are participant, machine, tag, alarm and recording: evidence that nobody else
// may write. Kinds that this version does not know may be written by field and expert.

// KindRecording is written by the relay when something is not recorded as it should be.
const KindRecording = "recording"

var relayKinds = map[string]bool{wire.KindParticipant: true, wire.KindMachine: true, wire.KindTag: true,
	wire.KindAlarm: true, KindRecording: true}

// lossyKinds do not belong on the log channel.
var lossyKinds = map[string]bool{wire.KindPose: true, wire.KindPointer: true, wire.KindPing: true, wire.KindPong: true}

// mayLog returns why a role may not write a kind to the log, or nil.
func mayLog(role, kind string) error {
	switch {
	case relayKinds[kind]:
		return fmt.Errorf("only the relay writes messages of kind %s", kind)
	case lossyKinds[kind]:
		return fmt.Errorf("messages of kind %s do not go on the log channel", kind)
	case role == auth.Viewer && kind != wire.KindChat:
		return fmt.Errorf("a viewer may chat, but not write messages of kind %s", kind)
	case kind == wire.KindAnchor && role != auth.Field:
		return fmt.Errorf("only the field places marks in the world; role %s may not", role)
	}
	return nil
}

// MaySend returns why a role may not send on a lossy channel, or nil.
func MaySend(role, channel, kind string) error {
	switch {
	case channel == wire.ChannelPose && kind != wire.KindPose, channel == wire.ChannelPointer && kind != wire.KindPointer:
		return fmt.Errorf("messages of kind %s do not go on the %s channel", kind, channel)
	case channel == wire.ChannelPose && role != auth.Field:
		return fmt.Errorf("only the field sends poses; role %s may not", role)
	case role == auth.Viewer:
		return fmt.Errorf("a viewer may not send on the %s channel", channel)
	}
	return nil
}

// MayPublish returns why a role may not publish tracks, or nil.
func MayPublish(role string) error {
	if role == auth.Viewer {
		return fmt.Errorf("a viewer may not publish tracks")
	}
	return nil
}
