package seal

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"sightline/relay/evidence"
)

// Authority is a time-stamp authority by RFC 3161 over HTTP.
type Authority struct {
	URL string
	// Wait is how long it may take.
	Wait time.Duration
}

// maxResponse bounds an authority's response, bytes.
const maxResponse = 64 << 10

// Stamp asks for a timestamp of a text and checks the response.
func (a Authority) Stamp(ctx context.Context, text string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, a.Wait)
	defer cancel()
	request, err := evidence.StampRequest(text)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the timestamp authority does not answer: %w", err)
	}
	defer answer.Body.Close()
	response, err := io.ReadAll(io.LimitReader(answer.Body, maxResponse))
	if err != nil {
		return nil, fmt.Errorf("the timestamp authority's answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the timestamp authority says %s", answer.Status)
	}
	if _, err := evidence.CheckStamp(response, text, nil); err != nil {
		return nil, err
	}
	return response, nil
}
