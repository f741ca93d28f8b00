package direct

import (
	"io"
	"sync"

	"github.com/pion/transport/v4/packetio"
)

// buffers are where pion puts what it has opened. Of RTCP nobody reads it: the tap has taken it.
func buffers(kind packetio.BufferPacketType, _ uint32) io.ReadWriteCloser {
	if kind == packetio.RTCPBufferPacket {
		return &nowhere{ended: make(chan struct{})}
	}
	b := packetio.NewBuffer()
	b.SetLimitSize(rtpWaiting)
	return b
}

// rtpWaiting is how much of a stream waits until its track is read, in bytes.
const rtpWaiting = 1 << 20

// nowhere takes everything and gives nothing until it is closed.
type nowhere struct {
	ended chan struct{}
	once  sync.Once
}

func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }

func (n *nowhere) Read([]byte) (int, error) {
	<-n.ended
	return 0, io.EOF
}

func (n *nowhere) Close() error {
	n.once.Do(func() { close(n.ended) })
	return nil
}
