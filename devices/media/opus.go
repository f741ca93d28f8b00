package media

import (
	"fmt"

	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/codec/opus"
	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"
)

// opusEncoder encodes 20 ms at a time. One goroutine uses it.
type opusEncoder struct {
	codec codec.ReadCloser
	next  *wave.Int16Interleaved
}

// speechBitRate is good for speech over a machine's noise, in bits per second.
const speechBitRate = 32_000

func newOpusEncoder() (*opusEncoder, error) {
	e := &opusEncoder{}
	params, err := opus.NewParams()
	if err != nil {
		return nil, fmt.Errorf("opus: %w", err)
	}
	params.BitRate = speechBitRate
	params.Latency = opus.Latency20ms
	source := audio.ReaderFunc(func() (wave.Audio, func(), error) { return e.next, func() {}, nil })
	e.codec, err = params.BuildAudioEncoder(source, prop.Media{Audio: prop.Audio{
		ChannelCount: 1, SampleRate: audioRate, SampleSize: 2, IsInterleaved: true, Latency: packetTime}})
	if err != nil {
		return nil, fmt.Errorf("opus: %w", err)
	}
	return e, nil
}

// encode takes packetSamples samples.
func (e *opusEncoder) encode(samples []int16) ([]byte, error) {
	e.next = &wave.Int16Interleaved{Data: samples, Size: wave.ChunkInfo{Len: len(samples), Channels: 1, SamplingRate: audioRate}}
	data, _, err := e.codec.Read()
	if err != nil {
		return nil, fmt.Errorf("opus: %w", err)
	}
	return data, nil
}

func (e *opusEncoder) close() error { return e.codec.Close() }
