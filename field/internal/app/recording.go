package app

import (
	"context"
	"image/color"
	"time"

	"sightline/annotate/scene"
	"sightline/field/internal/view"
	"sightline/relay/client"
	"sightline/relay/wire"
	"sightline/vision/geom"
)

// privacyWhy is the reason of a pause that the technician asks for: with gloves on nobody types one.
const privacyWhy = "the technician asked for it"

// consentEvery is how often the room is looked at for a question.
const consentEvery = 200 * time.Millisecond

// consents answers whether the technician may be recorded, as the command line or the keys say, and pauses the
// recording, until ctx ends.
func (s *session) consents(ctx context.Context) {
	var keys <-chan rune // none without a window
	if s.window != nil {
		keys = s.window.Keys()
	}
	tick := time.NewTicker(consentEvery)
	defer tick.Stop()
	warned := false
	for {
		select {
		case <-ctx.Done():
			return
		case k := <-keys:
			s.key(k)
		case <-tick.C:
			if s.question() == "" {
				continue
			}
			switch {
			case s.cfg.Consent != "ask" && s.cfg.Consent != "":
				s.answer(s.cfg.Consent == "yes")
			case s.window == nil && !warned:
				warned = true
				s.log.Warn("the room asks whether the technician may be recorded, and nobody is here to answer: nothing of his is recorded; --consent yes or no answers")
			}
		}
	}
}

// key does what a key asks for.
func (s *session) key(k rune) {
	asked := s.question() != ""
	switch {
	case asked && (k == 'Y' || k == 'N'):
		s.answer(k == 'Y')
	case k == 'P':
		if r := s.room.Recorded(); r.On || r.Paused {
			if s.second != nil {
				s.second.Privacy(!r.Paused, privacyWhy)
			}
			s.publish(wire.KindPrivacy, "session", wire.Privacy{On: !r.Paused, Why: privacyWhy})
		}
	}
}

// question is what the room asks the technician; empty where it is answered, or nothing is asked.
func (s *session) question() string {
	if st, _ := s.client.State(); st != client.Connected {
		return ""
	}
	asked := s.room.Asked(s.client.Self().ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch asked {
	case "":
		s.answered = "" // the answer has arrived; the same may be asked again
	case s.answered:
		return ""
	}
	return asked
}

// answer tells the room whether the technician may be recorded.
func (s *session) answer(given bool) {
	id := s.client.Self().ID
	asked := s.room.Asked(id)
	state := wire.ConsentRefused
	if given {
		state = wire.ConsentGiven
	}
	if s.publish(wire.KindConsent, id, wire.Consent{State: state}) {
		s.mu.Lock()
		s.answered = asked
		s.mu.Unlock()
	}
}

// publish tells the room of something, and the log where that cannot be.
func (s *session) publish(kind, id string, body any) bool {
	if _, err := s.client.Publish(kind, id, 0, body); err != nil {
		s.log.Warn("the room was not told", "kind", kind, "err", err)
		return false
	}
	return true
}

// recordingNotices says whether this is recorded, who paused it, what is amiss, and asks for consent: the last is
// the most urgent.
func (s *session) recordingNotices() []scene.Notice {
	var out []scene.Notice
	switch r := s.room.Recorded(); {
	case r.Paused:
		out = append(out, scene.Notice{Text: "Recording paused by " + r.Who + ": " + r.Why, Level: scene.Warning})
	case s.room.Fault() != "":
		out = append(out, scene.Notice{Text: "Recording: " + s.room.Fault(), Level: scene.Warning})
	}
	if s.second != nil && s.second.Fault() != "" {
		out = append(out, scene.Notice{Text: "Recording: " + s.second.Fault(), Level: scene.Warning})
	}
	if s.question() != "" {
		out = append(out, scene.Notice{Text: "This call is recorded. May you be recorded?   Y: yes    N: no", Level: scene.Urgent})
	}
	return out
}

// sign is the red sign in the top right corner while this is recorded, and an amber one while it is paused.
func (s *session) sign() []scene.Item {
	r := s.room.Recorded()
	c, words := color.NRGBA{255, 58, 58, 255}, "REC"
	switch {
	case r.Paused:
		c, words = color.NRGBA{255, 183, 43, 255}, "PAUSED"
	case !r.On:
		return nil
	}
	w := 34 + 11.5*float64(len(words))
	x, y := float64(view.Width)-12-w, 12.0
	return []scene.Item{
		{Kind: scene.Fill, Points: []geom.Vec2{{x, y}, {x + w, y}, {x + w, y + 28}, {x, y + 28}}, Colour: color.NRGBA{12, 16, 22, 208}},
		{Kind: scene.Disc, Points: []geom.Vec2{{x + 16, y + 14}}, Radius: 6, Colour: c},
		{Kind: scene.Text, Points: []geom.Vec2{{x + 28, y + 20}}, Text: words, Size: 16, Bold: true, Colour: color.NRGBA{246, 249, 252, 255}},
	}
}
