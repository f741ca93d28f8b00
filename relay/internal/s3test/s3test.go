// Package s3test runs a real S3 server for tests.
package s3test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sightline/relay/internal/s3"
)

// Server is a real S3 server, versitygw, in a process of its own: its bucket is a folder.
type Server struct {
	Config s3.Config
	Dir    string // of the bucket
	addr   string
	root   string
	cmd    *exec.Cmd
}

// Start runs an S3 server with a bucket until the test ends. Where versitygw is neither in .cache/bin nor in the
// path, the test is skipped.
func Start(t testing.TB) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	s := &Server{Config: s3.Config{Endpoint: "http://" + addr, Bucket: "cases", Region: "us-east-1", Key: "tester", Secret: "only-for-tests"}, addr: addr, root: t.TempDir()}
	s.Dir = filepath.Join(s.root, "cases")
	if err := os.Mkdir(s.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.Run(t)
	t.Cleanup(s.Kill)
	return s
}

// versitygw finds the program.
func versitygw(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if path := filepath.Join(dir, ".cache", "bin", "versitygw"); exists(path) {
			return path
		}
	}
	path, err := exec.LookPath("versitygw")
	if err != nil {
		t.Skip("there is no S3 server here: make s3 installs versitygw into .cache/bin")
	}
	return path
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// Run runs the server, for the first time or after Kill.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command(versitygw(t), "--access", s.Config.Key, "--secret", s.Config.Secret, "--port", s.addr, "--quiet", "posix", s.root)
	s.cmd.Dir = s.root
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", s.addr, time.Second)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the S3 server does not listen: %v", err)
		}
	}
}

// Kill ends the server with SIGKILL.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}
