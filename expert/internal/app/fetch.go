package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// atRelay says whether a case is named by its address at a relay.
func atRelay(name string) bool {
	return strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://")
}

// fetch brings the archive of a case from a relay into a folder of its own, which the caller removes. The relay notes
// who took it, and whether to play it or to export it.
func fetch(ctx context.Context, address, token, purpose string) (path string, err error) {
	if token == "" {
		return "", errors.New("a case at a relay needs --token, one with the right to play cases, or to export them")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(address, "/")+"/"+purpose, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("the case: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(answer.Body, 1000)) // the status says the most
		return "", fmt.Errorf("the case: the relay says %s: %s", answer.Status, strings.TrimSpace(string(why)))
	}
	dir, err := os.MkdirTemp("", "sightline-case-")
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "case.zip")
	f, err := os.Create(path)
	if err == nil {
		_, err = io.Copy(f, answer.Body)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("the case: %w", err), os.RemoveAll(dir))
	}
	return path, nil
}
