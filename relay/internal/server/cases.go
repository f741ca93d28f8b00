package server

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
	"sightline/relay/evidence/vault"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/cases"
	"sightline/relay/internal/config"
	"sightline/relay/internal/record"
	"sightline/relay/internal/s3"
	"sightline/relay/wire"
)

// Recording is how sessions are recorded.
type Recording struct {
	// Authority is the URL of a timestamp authority (RFC 3161); empty for none.
	Authority string
	// EncryptTo are the age recipients that may read the cases; none leaves them readable on the relay's disk.
	EncryptTo []string
	// Store is where finished cases are put: NATS (the default), S3 or None.
	Store string
	S3    s3.Config
	// Local is for how long a case stays on this disk after it is in the store; 0: a week.
	Local time.Duration
	// MaxStandby bounds the case of a second recorder, bytes; 0: 8 GiB.
	MaxStandby int64
}

// The stores of finished cases.
const (
	StoreNATS = "nats"
	StoreS3   = "s3"
	StoreNone = "none"
)

const (
	usualStandby = 8 << 30
	usualLocal   = 7 * 24 * time.Hour
)

// stampTime is how long an authority may take.
const stampTime = 5 * time.Second

// openSeal opens the relay's seal, and closes the cases that the last run left open.
func (s *Server) openSeal() error {
	var err error
	if s.seal, err = seal.Open(s.cfg.Data, seal.Relay); err != nil {
		return config.Bad("data", err)
	}
	if len(s.cfg.Recording.EncryptTo) > 0 {
		to, err := vault.Recipients(s.cfg.Recording.EncryptTo)
		if err != nil {
			return config.Bad("encrypt-to", err)
		}
		s.lock = func() ([]byte, func([]byte) ([]byte, error), error) { return vault.Lock(to) }
	}
	s.cases = cases.Open(s.cfg.Data, s.seal, s.cfg.Now)
	s.inbox = cases.NewInbox(s.cases, cmp.Or(s.cfg.Recording.MaxStandby, usualStandby))
	s.recoverCases()
	return nil
}

func (s *Server) recordings() string { return filepath.Join(s.cfg.Data, "recordings") }

// stamp asks the configured authority; nil where there is none.
func (s *Server) stamp() func(string) ([]byte, error) {
	if s.cfg.Recording.Authority == "" {
		return nil
	}
	a := seal.Authority{URL: s.cfg.Recording.Authority, Wait: stampTime}
	return func(text string) ([]byte, error) { return a.Stamp(context.Background(), text) }
}

// recoverCases closes what a crash left open. What it cannot close stays as it is, for people to look at.
func (s *Server) recoverCases() {
	chains, _ := filepath.Glob(filepath.Join(s.recordings(), "*", "*", evidence.ChainFile))
	for _, chain := range chains {
		dir := filepath.Dir(chain)
		if _, err := os.Stat(filepath.Join(dir, evidence.ManifestFile)); err == nil && closed(dir) {
			continue
		}
		err := evidence.Recover(dir, evidence.WriterConfig{Seal: s.seal, Clock: func() (int64, time.Time) { return 0, s.cfg.Now() }}, s.stamp())
		var unstamped *evidence.StampError
		switch {
		case errors.Is(err, evidence.ErrClosed), errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, evidence.ErrNoBeginning) && gone(chain):
			s.log.Warn("a case that had not begun when the relay went down is taken away: nothing was recorded", "dir", dir)
		case err != nil && !errors.As(err, &unstamped):
			s.log.Error("a case that was left open cannot be closed", "dir", dir, "error", err)
		default:
			s.log.Warn("a case that was left open is closed", "dir", dir)
			s.note(audit.Event{What: audit.RecordingEnded, Room: filepath.Base(filepath.Dir(dir)), Detail: dir, Reason: "closed by recovery"})
		}
	}
}

func gone(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// closed says whether a case ends as a closed one does, without reading all of it.
func closed(dir string) bool {
	ended, err := evidence.Ended(dir)
	return err == nil && ended
}

// beginRecording begins the recording of a room that was opened, where its policy wants one. Where that fails, people
// work on, and are told that nothing is recorded.
func (s *Server) beginRecording(o *openRoom) {
	policy := s.cfg.Rooms.Of(o.Name())
	if !policy.Recorded() {
		s.log.Info("room is open, and is not recorded", "room", o.Name())
		o.Report(wire.KindRecorded, "session", wire.Recorded{}) // its log may say otherwise
		return
	}
	var err error
	o.recording, err = record.Start(record.Config{Dir: s.recordings(), Room: o.Name(), Began: o.Began(), Time: o.TimeOf, Now: s.cfg.Now,
		Log: s.log, Follow: s.bus.Follow, Head: o.Head, Tell: o.Report, Seal: s.seal.Signer(), Stamp: s.stamp(), Lock: s.lock, Consent: policy.Consent, EncryptTo: s.cfg.Recording.EncryptTo, Answered: s.answered})
	if err != nil {
		o.recording = nil
		s.log.Error("room is open, and is not recorded", "room", o.Name(), "error", err)
		s.note(audit.Event{What: audit.RecordingEnded, Room: o.Name(), Reason: err.Error()})
		o.Report(record.KindFault, "start", record.Fault{Text: "this session is not recorded: " + record.Cause(err)})
		return
	}
	if f := s.store.Load(); f != nil && !f.Over {
		o.Report(record.KindFault, "store", *f)
	}
	s.note(audit.Event{What: audit.RecordingBegan, Room: o.Name(), Detail: o.recording.Dir()})
	s.log.Info("room is open", "room", o.Name(), "recording", o.recording.Dir())
}

// openStore opens the store of finished cases, and begins to bring them there.
func (s *Server) openStore(ctx context.Context) (err error) {
	r := s.cfg.Recording
	s.nudge = make(chan struct{}, 1)
	switch r.Store {
	case StoreNone:
		return nil
	case StoreS3:
		if s.objects, err = s3.Open(r.S3); err != nil {
			return config.Bad("s3-endpoint", err)
		}
	default:
		if s.objects, err = s.bus.OpenObjects(ctx, "cases"); err != nil {
			return config.Bad(either(s.cfg.NATS.URL != "", "nats", "data"), err)
		}
	}
	k := &cases.Keeper{Store: s.cases, Objects: s.objects, Local: cmp.Or(r.Local, usualLocal), Log: s.log, Tell: s.storeFault}
	s.conns.Go(func() { k.Run(s.ctx, s.nudge) })
	return nil
}

// storeFault tells the people in all rooms that finished recordings cannot be put away, and when they can again.
func (s *Server) storeFault(why error) {
	f := record.Fault{Text: "the store of finished recordings takes them again", Over: true}
	if why != nil {
		f = record.Fault{Text: "the recording goes on, on the relay's disk; finished recordings cannot be put into their store for now: " + record.Cause(why)}
	}
	s.store.Store(&f)
	for _, o := range s.rooms.all() {
		o.Report(record.KindFault, "store", f)
	}
}

// endRecording closes the case of a room.
func (s *Server) endRecording(o *openRoom) {
	if o.recording == nil {
		return
	}
	o.recording.Close()
	s.note(audit.Event{What: audit.RecordingEnded, Room: o.Name(), Detail: o.recording.Dir()})
	s.sealed(o.Name(), o.recording.Dir())
	s.keepNow()
}

// keepNow has finished cases put away now.
func (s *Server) keepNow() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

// expireEvery is how often old recordings are looked for.
const expireEvery = time.Hour

// keepCases deletes recordings whose time is over, until the relay closes.
func (s *Server) keepCases() {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		gone, err := s.cases.Expire(func(room string) time.Duration { return s.cfg.Rooms.Of(room).Keep })
		if err != nil {
			s.log.Error("old recordings are not all deleted", "error", err)
		}
		if err := s.inbox.Clean(); err != nil {
			s.log.Error("what is left of uploads is not all deleted", "error", err)
		}
		for _, c := range gone {
			s.note(audit.Event{What: audit.CaseDeleted, Room: c.Room, By: "relay", Reason: "its time is over", Detail: c.ID})
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return
		}
	}
}
