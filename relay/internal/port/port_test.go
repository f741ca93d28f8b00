package port

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// What a connection is shows in its first bytes, and who takes it over misses none of them.
func TestSplit(t *testing.T) {
	defer goleak.VerifyNone(t)
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := Split(in, nil, 0)
	defer p.Close()
	stun := "\x00\x03\x00\x24\x21\x12\xa4\x42abcdefghijkl"
	for name, c := range map[string]struct {
		says string
		to   net.Listener
	}{
		"HTTP":    {"GET / HTTP/1.1\r\n\r\n", p.HTTP},
		"TURN":    {stun, p.TURN},
		"ICE-TCP": {"\x00\x14\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl", p.ICE},
		"TLS":     {"\x16\x03\x01", nil},
		"noise":   {"\xff\xfe", nil},
		"a cut":   {"\x00\x01", nil},
	} {
		conn, err := net.Dial("tcp", in.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, c.says); err != nil {
			t.Fatal(err)
		}
		if c.to == nil {
			_ = conn.(*net.TCPConn).CloseWrite()
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := conn.Read(make([]byte, 1)); err == nil {
				t.Errorf("%s: the connection was not closed", name)
			}
		} else {
			got, err := c.to.Accept()
			if err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, len(c.says))
			if _, err := io.ReadFull(got, buf); err != nil || string(buf) != c.says {
				t.Errorf("%s: read %q, %v", name, buf, err)
			}
			got.Close()
		}
		conn.Close()
	}
	silent, err := net.Dial("tcp", in.Addr().String()) // does not hold up the end
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
}

// Who holds many connections open and says nothing keeps nobody out but himself.
func TestConnectionsOfOneAddress(t *testing.T) {
	defer goleak.VerifyNone(t)
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := Split(in, nil, 8)
	defer p.Close()
	dial := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err := d.Dial("tcp", in.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	accepted := make(chan bool, 1000)
	go func() { // ends with the port
		for c, err := p.HTTP.Accept(); err == nil; c, err = p.HTTP.Accept() {
			accepted <- true
			_ = c.Close()
		}
	}()
	served := func(conn net.Conn) bool {
		t.Helper()
		if _, err := io.WriteString(conn, "GET"); err != nil {
			return false
		}
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, _ = conn.Read(make([]byte, 1)) // ends when it is closed: by the port, or after it was accepted
		select {
		case <-accepted:
			return true
		case <-time.After(100 * time.Millisecond):
			return false
		}
	}
	var silent []net.Conn
	for range 8 {
		silent = append(silent, dial("127.0.0.2"))
	}
	ninth := dial("127.0.0.2")
	_ = ninth.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := ninth.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the ninth connection is not closed: %v", err)
	}
	if !served(dial("127.0.0.1")) {
		t.Error("another address is not served")
	}
	_ = silent[0].Close()
	for end := time.Now().Add(10 * time.Second); !served(dial("127.0.0.2")); {
		if time.Now().After(end) {
			t.Fatal("a closed connection still counts")
		}
	}
}

// Whatever a connection says first, it is handed over whole, or closed.
func FuzzLook(f *testing.F) {
	for _, says := range []string{"GET / HTTP/1.1\r\n\r\n", "\x00\x03\x00\x24\x21\x12\xa4\x42abcdefghijkl", "\x00\x14\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl", "\x16\x03\x01", "\xff"} {
		f.Add([]byte(says))
	}
	f.Fuzz(func(t *testing.T, says []byte) {
		p := &Port{outs: []*lane{{}, {}, {}}}
		near, far := net.Pipe()
		defer near.Close()
		go func() {
			_, _ = far.Write(says)
			_ = far.Close()
		}()
		c, to := p.look(near, false)
		if to == nil {
			return
		}
		if got, _ := io.ReadAll(c); string(got) != string(says) {
			t.Errorf("%q became %q", says, got)
		}
	})
}
