package port

import (
	"io"
	"net"
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
	p := Split(in, nil)
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
