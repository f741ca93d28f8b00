// Package evidence is the format of a case: a recorded session, sealed so that a change or an omission is
// found by anyone, offline, years later. FORMAT.md describes the bytes. A Writer writes a case, Recover
// closes one that was left open, Pack makes one file of it, Verify proves it, and Open reads it:
//
//	c, err := evidence.Open(path, nil)
//	for _, t := range c.Manifest.Tracks {
//		frames, err := c.Frames(t.Track)             // captured and session time, key, of each
//		i := evidence.At(frames, session)            // the frame that shows at an instant
//		k := evidence.KeyBefore(frames, i)           // where its decoder begins
//		data, err := c.Data(t.Track, frames[k])      // what the decoder takes
//	}
//	err = c.Log(func(e wire.Envelope) error { … })   // every message, in order
//
// OpenMerged opens the cases of one session as one, the relay's and those of second recorders, and VerifySession proves
// and compares them.
//
// All times but Captured are session time in microseconds.
package evidence
