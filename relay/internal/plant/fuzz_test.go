package plant

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"testing"
	"time"
)

// connects are the first packets of a client, of MQTT 3.1.1 and 5.
var connects = [][]byte{
	append([]byte{0x10, 0x0d, 0, 4}, "MQTT\x04\x02\x00\x3c\x00\x01a"...),
	append([]byte{0x10, 0x0e, 0, 4}, "MQTT\x05\x02\x00\x3c\x00\x00\x01a"...),
}

// A machine's bytes, whatever they are, end its own connection at most: the broker goes on to serve.
func FuzzBroker(f *testing.F) {
	b, err := NewBroker("127.0.0.1:0", nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(b.Close)
	u, err := url.Parse(b.URL())
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		"\x30\x0b\x00\x07plant/ahi",                         // PUBLISH
		"\x32\x0d\x00\x07plant/a\x00\x01hi",                 // QoS 1
		"\x34\x0d\x00\x07plant/a\x00\x01hi\x62\x02\x00\x01", // QoS 2, PUBREL
		"\x31\x09\x00\x07plant/a",                           // retained, cleared
		"\x82\x0c\x00\x01\x00\x07plant/#\x00",               // SUBSCRIBE
		"\x82\x0d\x00\x01\x00\x00\x07plant/#\x00",           // of version 5
		"\xa2\x0b\x00\x01\x00\x07plant/#", "\xc0\x00", "\xe0\x00", "\xff\xff\xff\xff\x7f",
	} {
		f.Add(true, []byte(s))
		f.Add(false, []byte(s))
	}
	f.Fuzz(func(t *testing.T, five bool, data []byte) {
		first := connects[0]
		if five {
			first = connects[1]
		}
		say := func(data []byte) []byte {
			conn, err := net.Dial("tcp", u.Host)
			if err != nil {
				t.Fatalf("the broker takes no connections: %v", err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			_, _ = conn.Write(data)
			_ = conn.(*net.TCPConn).CloseWrite()
			answer, _ := io.ReadAll(io.LimitReader(conn, 1<<20))
			return answer
		}
		say(append(bytes.Clone(first), data...))
		say(data)
		if answer := say(connects[0]); len(answer) < 4 || answer[0] != 0x20 || answer[3] != 0 {
			t.Errorf("after % x the broker answers % x to who connects", data, answer)
		}
	})
}
