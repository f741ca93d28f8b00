package server

import (
	"context"
	"errors"
	"io"
	"net/http"

	"sightline/relay/evidence"
	"sightline/relay/internal/api"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/cases"
)

// Cases lists the recordings of this relay that are there, or were deleted. Those that are missing, relay cases list
// finds.
func (s *Server) Cases() ([]api.Case, error) {
	all, err := s.cases.Local()
	var out []api.Case
	for _, c := range all {
		x := api.Case{ID: c.ID, Room: c.Room, Began: c.Began, Seconds: c.Length.Seconds(), Bytes: c.Size, State: c.State, Fault: c.Fault, Standby: c.Standby,
			Local: c.Local, Stored: c.Stored != nil}
		if c.Hold != nil && !c.Hold.UTC.IsZero() {
			x.Hold = &api.Hold{Who: c.Hold.Who, Why: c.Hold.Why, UTC: c.Hold.UTC}
		}
		out = append(out, x)
	}
	return out, err
}

// verdicts is how many cases are proven at once: it takes much of the disk and of a processor.
const verdicts = 2

// Verdict proves a case, and compares it with those of second recorders.
func (s *Server) Verdict(ctx context.Context, id string) (any, error) {
	select {
	case s.proving <- struct{}{}:
		defer func() { <-s.proving }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	all, err := s.cases.Together(id)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, c := range all {
		path, release, err := s.cases.Place(ctx, c, s.objects)
		if err != nil {
			return nil, allowed(err)
		}
		defer func() {
			if err := release(); err != nil {
				s.log.Warn("a copy of a case is left", "error", err)
			}
		}()
		paths = append(paths, path)
	}
	return evidence.VerifySession(paths[0], paths[1:], evidence.VerifyConfig{Key: evidence.FormatRing(s.seal.Key(), s.seal.Successions())}, nil)
}

// OpenCase opens the archive of a closed case.
func (s *Server) OpenCase(ctx context.Context, id string) (io.ReadSeekCloser, error) {
	c, err := s.cases.Find(id)
	if err != nil {
		return nil, err
	}
	a, err := s.cases.Archive(ctx, c, s.objects)
	if err != nil {
		return nil, allowed(err)
	}
	return a, nil
}

// allowed makes a conflict of what the state of a case does not allow.
func allowed(err error) error {
	var state *cases.StateError
	if errors.As(err, &state) {
		return api.Refuse(http.StatusConflict, state)
	}
	if errors.Is(err, cases.ErrNoStore) {
		return api.Refuse(http.StatusConflict, errors.New("the case is in a store of finished cases that this relay is not set up for any more"))
	}
	return err
}

// Accessed notes that somebody has had a case.
func (s *Server) Accessed(what string, c api.Case, detail string, by audit.Actor) {
	e := by.Event(what, c.Room)
	e.Detail = c.ID
	if detail != "" {
		e.Detail += ", " + detail
	}
	s.note(e)
}

// did notes what was done to a case.
func (s *Server) did(what string, c api.Case, why string, by audit.Actor, err error) error {
	e := by.Event(what, c.Room)
	e.Detail, e.Reason = c.ID, why
	if err != nil {
		e.What, e.Reason = audit.Refused, err.Error()
		s.noteRefused(e)
		return allowed(err)
	}
	s.note(e)
	return nil
}

// HoldCase puts a legal hold on a case.
func (s *Server) HoldCase(c api.Case, why string, by audit.Actor) error {
	return s.did(audit.CaseHeld, c, why, by, s.cases.Keep(c.ID, by.Name, why))
}

// ReleaseCase ends a legal hold.
func (s *Server) ReleaseCase(c api.Case, by audit.Actor) error {
	return s.did(audit.CaseReleased, c, "", by, s.cases.Release(c.ID))
}

// DeleteCase deletes the contents of a case, here and in the store.
func (s *Server) DeleteCase(c api.Case, why string, by audit.Actor) error {
	err := s.cases.Delete(c.ID, by.Name, why)
	s.keepNow()
	return s.did(audit.CaseDeleted, c, why, by, err)
}
