// Package media is everything with a lens or a microphone, and the codecs: cameras, video files and
// picture sequences as sources of frames, H.264 both ways, VP8, VP9 and AV1 to decode, Opus both ways, AAC to
// encode, and the MP4 of composed pictures. It is the only importer of mediadevices and of FFmpeg's
// libraries, and it needs cgo.
//
// Pictures are 4:2:0, full-range BT.601, as Go's image package has them, wherever they come from; the
// H.264 that leaves says so in its parameter sets, so that other players show the same colours.
//
// Debian packages to build: libavformat-dev libavcodec-dev libavutil-dev libswscale-dev
// libswresample-dev pkg-config g++.
package media
