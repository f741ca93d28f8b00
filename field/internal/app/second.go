package app

import (
	"context"
	"net/http"
	"time"

	"sightline/field/internal/send"
	"sightline/field/internal/standby"
	"sightline/relay/client"
	"sightline/relay/wire"
)

// openSecond opens the second recorder where one is wanted.
func (s *session) openSecond() (err error) {
	if s.cfg.Standby == "" {
		return nil
	}
	s.store, err = standby.Open(s.cfg.Standby, standby.Limits{Bytes: int64(s.cfg.StandbyMB) << 20, Age: s.cfg.StandbyAge}, s.log, time.Now)
	if err != nil {
		return err
	}
	s.second = standby.New(standby.Config{Store: s.store, Log: s.log, Now: time.Now,
		Tell:    func(kind, id string, body any) { s.publish(kind, id, body) },
		NeedKey: func() { s.video.ForceKeyFrames() }})
	return nil
}

// heard takes a message of the room's log.
func (s *session) heard(e wire.Envelope) {
	s.room.Take(e)
	if s.second != nil {
		s.second.Log(e)
	}
}

// sent returns who hears of poses; nil where nobody does.
func (s *session) sent() func(wire.Envelope) {
	if s.second == nil {
		return nil
	}
	return s.second.Sent
}

// rest asks the relay beside the session.
func (s *session) rest() client.REST {
	return client.REST{URL: s.cfg.Relay, Token: s.cfg.Token, HTTP: http.DefaultClient}
}

// uploader gives what is recorded here to the relay, at no more than so many bits per second.
func (s *session) uploader(rate int) *standby.Uploader {
	return &standby.Uploader{Store: s.store, REST: s.rest(), Log: s.log, Rate: rate / 8}
}

// upload uploads what earlier sessions have left, until ctx ends.
func (s *session) upload(ctx context.Context) {
	if s.client.Wait(ctx) == nil {
		s.uploader(s.cfg.StandbyUpload).Run(ctx, s.client.Room())
	}
}

// handOver ends the second recording, and gives it to the relay where that is quick.
func (s *session) handOver(ctx context.Context) {
	if s.second == nil {
		return
	}
	s.second.Close()
	if s.client == nil || s.client.Room() == "" || s.cfg.StandbyWait <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.StandbyWait)
	defer cancel()
	if left, err := s.uploader(0).Once(ctx, s.client.Room()); left > 0 {
		s.log.Warn("the relay does not have all of the second recordings; they go at the next start, or with field recordings", "left", left, "err", err)
	}
}

func (s *session) audioTrack() send.AudioTrack {
	to := s.client.Audio(audioTrack)
	if s.second == nil {
		return to
	}
	return twoSounds{to, s.second}
}

type twoSounds struct {
	*client.LocalTrack
	second *standby.Recorder
}

// WriteOpus records and sends.
func (t twoSounds) WriteOpus(packet []byte, captured int64, duration time.Duration) error {
	t.second.Audio(audioTrack, packet, captured)
	return t.LocalTrack.WriteOpus(packet, captured, duration)
}
