//go:build !(linux && amd64)

package relaytest

import "errors"

// clocked is for Linux on amd64 alone: it changes registers.
func clocked([]string) (int, error) {
	return 1, errors.New("a process's clock can be set on linux/amd64 only")
}
