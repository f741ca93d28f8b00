package app

import (
	"fmt"
	"strings"

	"sightline/annotate/scene"
	"sightline/relay/client"
)

// notices says in words how the session stands, the most urgent last. It also keeps the window's title.
func (s *session) notices() []scene.Notice {
	var out []scene.Notice
	if s.window != nil && s.client.Room() != "" {
		s.window.SetTitle("Sightline field - " + s.client.Room())
	}
	switch st, err := s.client.State(); {
	case st == client.Connecting && s.client.Room() == "":
		out = append(out, scene.Notice{Text: "Connecting to the relay" + because(err), Level: scene.Warning})
	case st == client.Connecting:
		out = append(out, scene.Notice{Text: "Connection lost, reconnecting; marks stay" + because(err), Level: scene.Urgent})
	case st == client.Waiting:
		out = append(out, scene.Notice{Text: "In the lobby" + because(err), Level: scene.Info})
	case st == client.Connected:
		out = append(out, s.company())
		if words := narrow(s.client.Video(videoTrack), s.cfg.BitrateMax); words != "" {
			out = append(out, scene.Notice{Text: words, Level: scene.Warning})
		}
	}
	return append(out, s.recordingNotices()...)
}

// narrow says in words what the way to the relay bears, where that is so little that the expert sees it.
func narrow(camera *client.LocalTrack, most int) string {
	sent := camera.Best()
	return narrowWords(sent.Bitrate(), most, sent != camera)
}

func narrowWords(bps, most int, smaller bool) string {
	switch {
	case bps >= most:
	case bps < 150_000:
		return fmt.Sprintf("Very weak network (%d kbit/s): the expert sees few pictures; hold still", bps/1000)
	case smaller:
		return fmt.Sprintf("Weak network (%d kbit/s): the expert sees a smaller picture", bps/1000)
	case bps < 500_000:
		return fmt.Sprintf("Weak network (%d kbit/s): the expert sees a coarse picture", bps/1000)
	}
	return ""
}

// company says which experts are here.
func (s *session) company() scene.Notice {
	experts := s.room.Experts()
	if len(experts) == 0 {
		return scene.Notice{Text: "Waiting for an expert", Level: scene.Info}
	}
	words := "With " + strings.Join(experts, ", ")
	switch speak := s.room.Speaking(s.client.Self().ID); len(speak) {
	case 0:
	case 1:
		words += " · " + speak[0] + " speaks"
	default:
		words += " · " + strings.Join(speak, ", ") + " speak"
	}
	return scene.Notice{Text: words, Level: scene.Info}
}

// because is the last and innermost of an error's words: the whole of it is in the log.
func because(err error) string {
	if err == nil {
		return ""
	}
	words := err.Error()
	return ": " + words[strings.LastIndex(": "+words, ": "):]
}

// noPicture says why there is none; times are µs of the wall clock.
func (s *session) noPicture(now, lastFrame int64) scene.Notice {
	if err := s.cameraError(); err != nil {
		return scene.Notice{Text: fmt.Sprintf("The camera is gone: %v. Looking for it.", err), Level: scene.Urgent}
	}
	if lastFrame == 0 {
		return scene.Notice{Text: "Starting the camera", Level: scene.Info}
	}
	return scene.Notice{Text: "No picture from the camera for " + scene.Age(now-lastFrame) + ": check its cable", Level: scene.Urgent}
}
