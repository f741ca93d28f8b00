package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// sealed makes an archive of each case that the relay left, its own and the second recorder's, and proves them with
// nothing but the public key. What the relay says of each, and of how they compare, is put beside it.
func (r *Report) sealed(s *session) error {
	chains, err := filepath.Glob(filepath.Join(s.data(), "recordings", "*", "*", "chain.jsonl"))
	if err != nil {
		return err
	}
	if len(chains) == 0 {
		r.Failures = append(r.Failures, "the relay left no case")
	}
	relay := filepath.Join(s.cfg.Bin, "relay")
	var names []string
	second := 0
	for i, chain := range chains {
		name := "case"
		switch {
		case strings.Contains(filepath.Base(filepath.Dir(chain)), "-second-"):
			second++
			name = fmt.Sprintf("second-recorder-%d", second)
		case i-second > 0:
			name = fmt.Sprintf("case-%d", i-second+1)
		}
		names = append(names, name)
		archive := s.path(name + ".zip")
		if out, err := exec.Command(relay, "archive", filepath.Dir(chain), "--out", archive).CombinedOutput(); err != nil {
			return fmt.Errorf("archive a case: %w: %s", err, out)
		}
	}
	if second == 0 {
		r.Failures = append(r.Failures, "the relay has no case of the second recorder")
	}
	for _, name := range names {
		archive := s.path(name + ".zip")
		out, err := exec.Command(relay, "verify", archive, "--key", filepath.Join(s.data(), "seal", "key.pub")).CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return err
		}
		if err := os.WriteFile(s.path(name+".txt"), out, 0o644); err != nil {
			return err
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		r.Cases = append(r.Cases, Case{File: name + ".zip", Proven: err == nil, Text: lines[len(lines)-1]})
		if err != nil {
			r.Failures = append(r.Failures, fmt.Sprintf("%s.zip is not proven: see %s.txt", name, name))
		}
	}
	return nil
}
