package udp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func socket(t testing.TB) *Conn {
	t.Helper()
	c, err := Listen(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadBuffer(4 << 20)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func at(c *Conn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

func rtp(size int, seq uint32) []byte {
	b := make([]byte, size)
	b[0], b[1] = 0x80, 96
	binary.BigEndian.PutUint32(b[2:], seq)
	return b
}

// Whatever the sizes, whoever the receivers, with segmentation and without: everybody gets his packets,
// whole, once, and in their order.
func TestEverybodyGetsHisPackets(t *testing.T) {
	out := socket(t)
	receivers := []*Conn{socket(t), socket(t), socket(t)}
	able := out.segment.Load()
	rapid.Check(t, func(t *rapid.T) {
		out.segment.Store(able && rapid.Bool().Draw(t, "segment"))
		want := make([][]int, len(receivers))
		for seq := range rapid.IntRange(1, 200).Draw(t, "packets") {
			to := rapid.IntRange(0, len(receivers)-1).Draw(t, "to")
			size := rapid.SampledFrom([]int{12, 300, 1200, 1200, 1200, 1500}).Draw(t, "size")
			p := rtp(size, uint32(seq))
			if n, err := out.WriteToAddrPort(p, at(receivers[to])); n != size || err != nil {
				t.Fatal(n, err)
			}
			want[to] = append(want[to], seq<<16|size)
			if rapid.IntRange(0, 20).Draw(t, "flush") == 0 {
				out.Flush()
			}
		}
		out.Flush()
		buf := make([]byte, 2000)
		for i, r := range receivers {
			for _, w := range want[i] {
				_ = r.SetReadDeadline(time.Now().Add(5 * time.Second))
				n, from, err := r.ReadFromAddrPort(buf)
				if err != nil || from != at(out) || n != w&0xffff || int(binary.BigEndian.Uint32(buf[2:])) != w>>16 {
					t.Fatalf("receiver %d: %d bytes, number %d, %v; want %d of %d", i, n, binary.BigEndian.Uint32(buf[2:]), err, w>>16, w&0xffff)
				}
			}
		}
	})
	if s := out.Stats(); s.Calls >= s.Packets || s.Dropped > 0 {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsNotFlushedLeavesByItself(t *testing.T) {
	out, in := socket(t), socket(t)
	_, _ = out.WriteToAddrPort(rtp(100, 1), at(in))
	_ = in.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, _, err := in.ReadFromAddrPort(make([]byte, 200)); n != 100 || err != nil {
		t.Fatal(n, err)
	}
}

func TestManySendersAtOnce(t *testing.T) {
	out, in := socket(t), socket(t)
	const senders, each = 8, 100
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				_, _ = out.WriteToAddrPort(rtp(200, uint32(s*each+i)), at(in))
				out.Flush()
			}
		})
	}
	last := map[int]int{}
	buf := make([]byte, 200)
	for n := range senders * each {
		_ = in.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, _, err := in.ReadFromAddrPort(buf); err != nil {
			t.Fatalf("after %d: %v", n, err)
		}
		seq := int(binary.BigEndian.Uint32(buf[2:]))
		if seq%each != last[seq/each] {
			t.Fatalf("sender %d: %d after %d", seq/each, seq%each, last[seq/each])
		}
		last[seq/each]++
	}
	wg.Wait()
}

// A burst that the socket cannot take is bounded, and counted; nobody waits.
func TestABurstIsBounded(t *testing.T) {
	out, in := socket(t), socket(t)
	out.sending.Lock() // somebody is in a system call that takes its time
	for i := range maxBatch + 10 {
		_, _ = out.WriteToAddrPort(rtp(100, uint32(i)), at(in))
	}
	out.sending.Unlock()
	out.Flush()
	if s := out.Stats(); s.Packets != maxBatch || s.Dropped != 10 {
		t.Errorf("%+v", s)
	}
}

// No receiver's absence is another's.
func TestAnUnreachableReceiver(t *testing.T) {
	out, in := socket(t), socket(t)
	gone := netip.MustParseAddrPort("240.0.0.1:9")
	for i := range 3 {
		_, _ = out.WriteToAddrPort(rtp(100, 7), gone)
		_, _ = out.WriteToAddrPort(rtp(100, uint32(i)), at(in))
		out.Flush()
		_ = in.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, _, err := in.ReadFromAddrPort(make([]byte, 200)); err != nil {
			t.Fatal(err)
		}
	}
}

// One frame of ten packets to eight receivers; the ceiling is no allocation.
func BenchmarkFrame(b *testing.B) {
	out := socket(b)
	var to []netip.AddrPort
	for range 8 {
		r := socket(b)
		to = append(to, at(r))
		go func() {
			for buf := make([]byte, 2000); ; {
				if _, _, err := r.ReadFromAddrPort(buf); err != nil {
					return
				}
			}
		}()
	}
	p := rtp(1200, 1)
	send := func() {
		for range 10 {
			for _, a := range to {
				_, _ = out.WriteToAddrPort(p, a)
			}
		}
		out.Flush()
	}
	send()
	if n := testing.AllocsPerRun(100, send); n > 1 {
		b.Errorf("%.0f allocations a frame", n)
	}
	b.ReportAllocs()
	for b.Loop() {
		send()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*80), "ns/packet")
}
