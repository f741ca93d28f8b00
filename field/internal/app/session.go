package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sightline/devices/media"
	"sightline/field/internal/capture"
	"sightline/field/internal/eye"
	"sightline/field/internal/latest"
	"sightline/field/internal/library"
	"sightline/field/internal/room"
	"sightline/field/internal/send"
	"sightline/field/internal/standby"
	"sightline/field/internal/view"
	"sightline/relay/client"
	"sightline/relay/wire"
	"sightline/vision/camera"
	"sightline/vision/marker"
)

const (
	videoTrack = "camera"
	audioTrack = "microphone"
)

// check completes the command line and says what is wrong with it.
func (c *Config) check() error {
	if base, token, err := client.ParseLink(c.Relay); err == nil && token != "" && c.Token == "" {
		c.Relay, c.Token = base, token
	}
	if c.Token == "" {
		return errors.New("--token is missing: relay invite ROOM --role field --token-only prints one")
	}
	for _, w := range c.Watch {
		if area, machine, ok := strings.Cut(w, "/"); !ok || area == "" || machine == "" {
			return fmt.Errorf("--watch %s: want AREA/MACHINE, as in hall1/pump-7", w)
		}
	}
	if c.Sizes < 1 || c.Sizes > len(sizeNames) {
		return fmt.Errorf("--sizes %d: want 1 to %d", c.Sizes, len(sizeNames))
	}
	if c.BitrateMax < 150_000 {
		return fmt.Errorf("--bitrate-max %d: at least 150000 bits per second are needed", c.BitrateMax)
	}
	return nil
}

// session is a running client.
type session struct {
	cfg    Config
	log    *slog.Logger
	room   *room.Room
	client *client.Client
	feed   *capture.Feed
	video  *send.Video
	frames *latest.Box[capture.Frame]
	sound  media.AudioSource
	second *standby.Recorder // nil where there is none
	store  *standby.Store
	boards marker.Set
	window Window       // nil where headless
	found  camera.Model // the lens that was kept last
	fail   context.CancelCauseFunc
	watch  sync.Once

	mu       sync.Mutex
	camera   error  // why there is no picture, or nil
	answered string // the question about being recorded that was answered
}

// errDone ends a session that has done its work.
var errDone = errors.New("done")

// run is the client's life.
func (c Config) run(ctx context.Context, log *slog.Logger, open Opener) (err error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	if c.For > 0 {
		defer time.AfterFunc(c.For, func() { fail(errDone) }).Stop()
	}
	s := &session{cfg: c, log: log, fail: fail, room: room.New(log, time.Now), frames: latest.New(capture.Frame.Release)}
	outputs, err := openOutputs(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, outputs.close(s)) }()
	lens, err := c.lens()
	if err != nil {
		return err
	}
	if c.Boards != "" {
		if s.boards, err = marker.Load(c.Boards); err != nil {
			return err
		}
	}
	s.feed, err = capture.Open(capture.Config{Spec: c.Source, Lens: lens, FOV: c.FOV, Guess: c.guess(), Media: media.Options{FPS: c.FPS, Loop: c.Loop},
		OnFrame: s.frame, OnState: s.cameraState, Logger: log})
	if err != nil {
		return err
	}
	if err := s.openSecond(); err != nil {
		return errors.Join(err, s.feed.Close())
	}
	defer s.handOver(ctx)
	if err := s.join(ctx); err != nil {
		return errors.Join(err, s.feed.Close())
	}
	defer s.client.Close()
	if !c.Headless {
		s.window = open(view.Width, view.Height, "Sightline field")
	}
	return s.play(ctx, outputs)
}

// lens is the calibrated lens, or none.
func (c Config) lens() (camera.Model, error) {
	if c.Lens == "" {
		return camera.Model{}, nil
	}
	return camera.Load(c.Lens)
}

// guessFile is where a lens is kept that was guessed and found better, from one visit to the next, or "".
func (c Config) guessFile() string {
	if c.Maps == "" {
		return ""
	}
	name := sha256.Sum256([]byte(c.Source)) // which may hold a password
	return filepath.Join(c.Maps, "lens-"+hex.EncodeToString(name[:6])+".txt")
}

// guess is the lens that was found when the camera was used last, or none.
func (c Config) guess() camera.Model {
	m, err := camera.Load(c.guessFile())
	if err != nil {
		return camera.Model{} // guessed anew
	}
	return m
}

// library is where maps are kept for others.
func (s *session) library() eye.Library {
	return &library.Library{REST: s.rest(), Room: s.roomName, Log: s.log}
}

// roomName is the room's name as soon as it was joined once.
func (s *session) roomName(ctx context.Context) (string, error) {
	if name := s.client.Room(); name != "" {
		return name, nil
	}
	err := s.client.Wait(ctx)
	return s.client.Room(), err
}

// keepLens keeps a lens that was found, for the next visit.
func (s *session) keepLens(m camera.Model) {
	if m == s.found {
		return
	}
	s.found = m
	path := s.cfg.guessFile()
	if path == "" {
		return
	}
	err := os.MkdirAll(s.cfg.Maps, 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte("# found while the camera moved; field begins with it. \"field calibrate\" finds it better.\n"+m.Row()+"\n"), 0o600)
	}
	if err != nil {
		s.log.Warn("the lens that was found is not kept", "err", err)
	}
}

// join opens the sound and joins the room.
func (s *session) join(ctx context.Context) (err error) {
	if s.cfg.Audio != "none" && s.cfg.Audio != "" {
		if s.sound, err = media.OpenAudio(s.cfg.Audio, media.Options{Loop: s.cfg.Loop}); err != nil {
			s.log.Warn("no sound is sent: "+err.Error(), "audio", s.cfg.Audio)
		}
	}
	fps := s.cfg.FPS
	if fps <= 0 {
		fps = 30
	}
	start := min(2_000_000, s.cfg.BitrateMax)
	tracks := s.openVideo(fps, start)
	if s.sound != nil {
		tracks = append(tracks, client.Track{Name: audioTrack, Kind: wire.Audio})
	}
	// The instance follows from the token, so that a client that was killed comes back as itself.
	instance := sha256.Sum256([]byte("sightline field " + s.cfg.Token))
	ready := make(chan struct{}) // callbacks may come before Dial returns
	defer close(ready)
	s.client, err = client.Dial(ctx, client.Config{URL: s.cfg.Relay, Token: s.cfg.Token, Publish: tracks,
		Instance: hex.EncodeToString(instance[:16]), Logger: s.log, OnLog: s.heard, OnSent: s.sent(), OnSpeaking: s.room.Heard,
		OnState: func(st client.State, err error) { <-ready; s.connection(st, err) },
		OnRefused: func(e wire.Envelope, err error) {
			s.log.Warn("the relay refused a message", "kind", e.Kind, "id", e.ID, "err", err)
		},
	})
	if err != nil && s.sound != nil {
		err = errors.Join(err, s.sound.Close())
	}
	return err
}

// connection hears how the client stands.
func (s *session) connection(st client.State, err error) {
	switch {
	case s.client == nil: // Dial has failed, and says why
	case st == client.Connected:
		if s.second != nil {
			s.second.Joined(s.client)
		}
		s.watch.Do(func() {
			for _, machine := range s.cfg.Watch {
				if _, err := s.client.Publish(wire.KindWatch, machine, 0, wire.Watch{On: true}); err != nil {
					s.log.Warn("the machine is not watched", "machine", machine, "err", err)
				}
			}
		})
		s.log.Info("connected", "room", s.client.Room(), "as", s.client.Self().Name)
	case st == client.Closed && err != nil:
		s.fail(fmt.Errorf("the session is over: %w", err))
	case err != nil:
		s.log.Warn("not connected; trying again", "err", err)
	}
}

// play runs the goroutines until the source or ctx ends, and waits for them.
func (s *session) play(ctx context.Context, out *outputs) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	look := newWatcher(s, out, eye.New(eye.Config{Room: s.client, Marks: s.room.Marks, Machines: s.room, Boards: s.boards, Maps: s.cfg.Maps, Machine: s.cfg.Machine, Library: s.library(),
		Life: func() string { return strings.ToLower(rand.Text()[:6]) }, Logger: s.log, Now: time.Now}))
	var tasks, camera sync.WaitGroup
	run := func(wg *sync.WaitGroup, f func() error) {
		wg.Go(func() {
			if err := f(); err != nil {
				stop(err)
			}
		})
	}
	run(&camera, func() error {
		err := s.feed.Run(ctx)
		s.frames.End()
		s.video.End()
		if err == nil {
			err = errDone
		}
		return err
	})
	run(&tasks, func() error { return s.video.Run(s.videoTracks()...) })
	run(&tasks, look.run)
	tasks.Go(func() { s.consents(ctx) })
	if s.second != nil {
		tasks.Go(func() { s.upload(ctx) })
	}
	if s.sound != nil {
		tasks.Go(func() { send.Audio(ctx, s.sound, s.audioTrack(), s.log) })
	}
	if s.window != nil {
		if err := s.window.Run(ctx); err != nil {
			stop(fmt.Errorf("the window cannot be opened: %w; --headless runs without one", err))
		}
		stop(errDone)
	}
	camera.Wait()
	tasks.Wait()
	look.eye.Close()
	out.counts.Counts = look.eye.Counts()
	if err := context.Cause(ctx); !errors.Is(err, errDone) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// frame hands a frame to those who look at it. The encoder gets no frame that the eye will not see: the
// expert may draw on every frame that he gets.
func (s *session) frame(f capture.Frame) {
	if !s.frames.Offer(f.Again()) {
		f.Release()
		return
	}
	s.video.Put(f.Again())
}

func (s *session) cameraState(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.camera = err
}

func (s *session) cameraError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.camera
}
