// Package freeport finds ports for tests that need one before they listen, or again after a restart.
package freeport

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The ports that are tried. They are below those that Linux gives to whoever connects (from 32768 on): one of those
// may be taken by a connection between being found and being listened on.
const from, to = 20_000, 32_000

// Get returns so many ports of 127.0.0.1 that are free, for TCP and for UDP.
func Get(t testing.TB, n int) (ports []int) {
	t.Helper()
	for tries := 0; len(ports) < n; tries++ {
		if tries == 1000 {
			t.Fatal("no free port is found on 127.0.0.1")
		}
		port := from + rand.IntN(to-from)
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		tcp, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		defer tcp.Close() // when all are found, so that none is found twice
		udp, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		defer udp.Close()
		ports = append(ports, port)
	}
	return ports
}

// Address returns a free one, host:port.
func Address(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(Get(t, 1)[0]))
}
