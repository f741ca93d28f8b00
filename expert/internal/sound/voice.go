package sound

import (
	"slices"
	"sort"

	"sightline/devices/media"
	"sightline/expert/internal/tape"
)

// voice is one sound of the mix.
type voice struct {
	tape  *tape.Tape
	sound *tape.Sound
	dec   *media.OpusDecoder
	next  int       // packet to decode
	upto  int64     // the sample after the last that was decoded
	parts []segment // that were decoded and not read yet, by time
}

// segment is a run of samples.
type segment struct {
	from    int64
	samples []int16
}

const (
	// slack is by how much the times of packets may waver before that is a pause, in samples.
	slack = Rate / 100
	// lead is how much a decoder hears before what it is to say is right, in samples.
	lead = Rate / 10
)

func (v *voice) drop() error {
	if v.dec == nil {
		return nil
	}
	err := v.dec.Close()
	v.dec = nil
	return err
}

// seek begins before a sample.
func (v *voice) seek(sample int64) error {
	v.next = sort.Search(len(v.sound.Shots), func(i int) bool { return v.start(i) >= sample-lead })
	v.upto, v.parts = 0, nil
	return v.drop()
}

// start is the first sample of a packet. What the codec looks ahead comes out late, and is taken off.
func (v *voice) start(i int) int64 {
	return Samples(v.sound.Shots[i].Session-v.tape.Start) - media.OpusDelay
}

// add adds the samples from one on to sum.
func (v *voice) add(from int64, sum []int32) error {
	to := from + int64(len(sum))
	for v.next < len(v.sound.Shots) && v.upto < to {
		if err := v.decode(); err != nil {
			return err
		}
	}
	for _, p := range v.parts {
		for n := max(p.from, from); n < min(to, p.from+int64(len(p.samples))); n++ {
			sum[n-from] += int32(p.samples[n-p.from])
		}
	}
	v.parts = slices.DeleteFunc(v.parts, func(p segment) bool { return p.from+int64(len(p.samples)) <= to })
	return nil
}

// decode decodes the next packet. It follows the one before without a gap where its time says nearly so, for the
// times of packets waver and their samples do not.
func (v *voice) decode() (err error) {
	if v.dec == nil {
		if v.dec, err = media.NewOpusDecoder(); err != nil {
			return err
		}
	}
	i := v.next
	v.next++
	data, err := v.tape.Data(v.sound.Files, v.sound.Shots[i])
	if err != nil {
		return err
	}
	samples, err := v.dec.Decode(data)
	if err != nil {
		return nil // silence
	}
	from := v.start(i)
	if off := from - v.upto; off > -slack && off < slack {
		from = v.upto
	}
	if cut := v.upto - from; cut > 0 {
		samples = samples[min(cut, int64(len(samples))):]
		from = v.upto
	}
	v.parts = append(v.parts, segment{from, slices.Clone(samples)})
	v.upto = from + int64(len(samples))
	return nil
}
