package server

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"

	"sightline/relay/internal/api"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/cases"
)

// HasStandby says how much of a second recorder's case has come.
func (s *Server) HasStandby(room, id string) (int64, bool, error) {
	offset, complete, err := s.inbox.Has(room, id)
	if errors.Is(err, cases.ErrName) {
		err = api.Refuse(http.StatusBadRequest, err)
	}
	return offset, complete, err
}

// TakeStandby takes a piece of it.
func (s *Server) TakeStandby(ctx context.Context, room, id string, offset, length int64, body io.Reader, by audit.Actor) (bool, error) {
	dir, err := s.inbox.Take(ctx, room, id, offset, length, body, by.Name+", invitation "+cmp.Or(by.Invitation, "without an ID"))
	status := 0
	switch {
	case err == nil && dir != "":
		e := by.Event(audit.CaseReceived, room)
		e.Detail = id + " in " + dir
		s.note(e)
		s.keepNow()
		s.log.Info("a second recorder's case is here", "room", room, "case", id, "dir", dir)
		return true, nil
	case err == nil:
		_, complete, err := s.inbox.Has(room, id)
		return complete, err
	case errors.Is(err, cases.ErrName):
		status = http.StatusBadRequest
	case errors.Is(err, cases.ErrBusy):
		status = http.StatusConflict
	case errors.Is(err, cases.ErrTooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, cases.ErrNoRoom), errors.Is(err, cases.ErrFull):
		status = http.StatusInsufficientStorage
	case errors.Is(err, cases.ErrRefused):
		status = http.StatusUnprocessableEntity
		e := by.Event(audit.Refused, room)
		e.Detail, e.Reason = "case "+id, err.Error()
		s.noteRefused(e)
	}
	if status != 0 {
		err = api.Refuse(status, err)
	}
	return false, err
}
