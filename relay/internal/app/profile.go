package app

import (
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"sightline/relay/internal/config"
)

// serveProfile serves the Go profiler on an address of this machine, until stop is called.
func serveProfile(address string) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, config.Bad("profile", fmt.Errorf("%q: want a loopback address, 127.0.0.1:6060: profiles show what the relay holds in memory", address))
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, config.Bad("profile", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	return func() { _ = server.Close(); <-done }, nil
}
