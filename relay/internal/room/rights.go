package room

import (
	"fmt"

	"sightline/relay/internal/auth"
	"sightline/relay/wire"
)

// What rights and roles allow:
//
//	draw      the log, but for the relay's own kinds; pointers
//	publish   tracks
//	field     with draw: anchors and poses, which only who carries the camera can know
//	anybody   chat; an answer to being recorded
//
// The relay's own kinds are participant, machine, tag, alarm, recording, recorded, room, muted and lobby: evidence that nobody
// else may write. Who moderates does so through the relay's REST API. Kinds that this version does not know may be written by who may draw.

// KindRecording is written by the relay when something is not recorded as it should be.
const KindRecording = "recording"

var relayKinds = map[string]bool{wire.KindParticipant: true, wire.KindMachine: true, wire.KindTag: true,
	wire.KindAlarm: true, KindRecording: true, wire.KindRecorded: true, wire.KindRoom: true, wire.KindMuted: true, wire.KindLobby: true}

// lossyKinds do not belong on the log channel.
var lossyKinds = map[string]bool{wire.KindPose: true, wire.KindPointer: true, wire.KindSpeaking: true, wire.KindPing: true, wire.KindPong: true}

// mayLog returns why a bearer may not write a kind to the log, or nil.
func mayLog(b Bearer, kind string) error {
	switch {
	case relayKinds[kind]:
		return fmt.Errorf("only the relay writes messages of kind %s", kind)
	case lossyKinds[kind]:
		return fmt.Errorf("messages of kind %s do not go on the log channel", kind)
	case kind == wire.KindChat, kind == wire.KindConsent:
		return nil
	case !b.May(auth.Draw):
		return fmt.Errorf("the invitation lets you watch and chat, but not write messages of kind %s", kind)
	case kind == wire.KindAnchor && b.Who().Role != auth.Field:
		return fmt.Errorf("only the field places marks in the world; role %s may not", b.Who().Role)
	}
	return nil
}

// MaySend returns why a bearer may not send on a lossy channel, or nil.
func MaySend(b Bearer, channel, kind string) error {
	switch {
	case channel == wire.ChannelPose && kind != wire.KindPose, channel == wire.ChannelPointer && kind != wire.KindPointer:
		return fmt.Errorf("messages of kind %s do not go on the %s channel", kind, channel)
	case channel == wire.ChannelPose && b.Who().Role != auth.Field:
		return fmt.Errorf("only the field sends poses; role %s may not", b.Who().Role)
	case !b.May(auth.Draw):
		return fmt.Errorf("the invitation lets you watch and chat, but not send on the %s channel", channel)
	}
	return nil
}

// MayPublish returns why a bearer may not publish tracks, or nil.
func MayPublish(b Bearer) error {
	if !b.May(auth.Publish) {
		return fmt.Errorf("the invitation lets you watch, but not publish tracks")
	}
	return nil
}
