package app

import (
	"image"

	"sightline/field/internal/send"
	"sightline/relay/client"
	"sightline/relay/wire"
)

// sizeNames are the tracks of the camera: the whole picture, half as wide, and a quarter.
var sizeNames = []string{videoTrack, videoTrack + "-half", videoTrack + "-quarter"}

// What a picture is worth, bits per second for each of its pixels: with less, half the width and height is the better
// picture. And what a smaller size has at most, which is a good picture. Measured with a walk round the simulated plant at
// 720p and 30 pictures a second, by what is on screen at every instant, at its full size: 450 kbit/s give 25 dB and every
// second picture, or, half as wide, 30 dB and nine of ten; at 700 it is 30 dB against 31, at 1,200 34 against 33.
const (
	worthBits = 0.8
	mostBits  = 3.0
)

// openVideo makes the encoder, and the tracks that it is to publish.
func (s *session) openVideo(fps float64, start int) (tracks []client.Track) {
	rates := []int{start}
	for range s.cfg.Sizes - 1 {
		rates = append(rates, rates[len(rates)-1]/4)
	}
	s.video = send.NewVideo(fps, s.log, rates...)
	for i, rate := range rates {
		t := client.Track{Name: sizeNames[i], Kind: wire.Video, OnKeyFrame: func() { s.video.ForceKeyFrame(i) },
			OnBitrate: func(bps int) { s.video.SetBitRate(i, bps) }, Bitrate: client.Bitrate{Start: rate, Max: s.cfg.BitrateMax}}
		if i > 0 {
			t.Of, t.Bitrate.Max = videoTrack, rate
		}
		tracks = append(tracks, t)
	}
	return tracks
}

// videoTracks are where pictures go, and who else hears of them: the second recorder, of the largest that is sent.
func (s *session) videoTracks() (tracks []send.VideoTrack) {
	s.video.OnSize = s.sized
	if s.second != nil {
		s.video.Record = func(annexB []byte, captured int64) { s.second.Video(videoTrack, annexB, captured) }
	}
	for _, name := range sizeNames[:s.cfg.Sizes] {
		tracks = append(tracks, s.client.Video(name))
	}
	return tracks
}

// sized bounds what a size is sent at, now that it is known how large it is.
func (s *session) sized(i int, size image.Point) {
	pixels := float64(size.X * size.Y)
	b := client.Bitrate{Worth: int(worthBits * pixels), Max: s.cfg.BitrateMax}
	if i > 0 {
		b.Max = min(b.Max, int(mostBits*pixels))
	}
	s.client.Video(sizeNames[i]).SetBitrate(b)
}
