package app

import (
	"errors"
	"image"

	"sightline/field/internal/eye"
	"sightline/field/internal/send"
	"sightline/field/internal/trace"
	"sightline/field/internal/view"
)

// outputs are the files that a session writes.
type outputs struct {
	trace  *trace.Writer
	film   *view.Film // nil where none is wanted
	shotTo string     // empty where none is wanted, or it is made
	shotAt int64      // µs after the first picture
	counts ending

	first  int64 // µs, wall clock
	newest *image.RGBA
}

// ending is the last line of a trace.
type ending struct {
	Event    string `json:"event"` // end
	Captured int64  `json:"captured_frames"`
	Missed   int64  `json:"source_missed"` // left out by the source, being late
	Dropped  int    `json:"dropped"`       // neither tracked nor sent: the eye was busy
	send.VideoCounts
	eye.Counts
	Composed int `json:"composed"`
	Filmed   int `json:"filmed"`
}

func openOutputs(c Config) (*outputs, error) {
	o := &outputs{shotTo: c.Screenshot, shotAt: int64(c.ScreenshotAt * 1e6)}
	var err error
	if o.trace, err = trace.Create(c.Trace); err != nil {
		return nil, err
	}
	if c.Compose != "" {
		if o.film, err = view.NewFilm(c.Compose); err != nil {
			return nil, errors.Join(err, o.trace.Close())
		}
	}
	return o, nil
}

// wanted says whether anybody wants to see the composed picture.
func (o *outputs) wanted() bool { return o.film != nil || o.shotTo != "" }

// take gives a composed picture to the files. now is µs of the wall clock.
func (o *outputs) take(p *image.RGBA, now int64) error {
	if o.first == 0 {
		o.first = now
	}
	o.counts.Composed++
	o.newest = p
	if o.film != nil {
		o.film.Take(p, now)
	}
	if o.shotTo == "" || now-o.first < o.shotAt {
		return nil
	}
	return o.shoot()
}

func (o *outputs) shoot() error {
	to := o.shotTo
	o.shotTo = ""
	return view.WritePNG(to, o.newest)
}

// close finishes the files.
func (o *outputs) close(s *session) (err error) {
	if o.shotTo != "" && o.newest != nil {
		err = o.shoot()
	}
	if o.film != nil {
		written, ferr := o.film.Close()
		o.counts.Filmed = written
		err = errors.Join(err, ferr)
	}
	if s.feed != nil && s.video != nil {
		o.counts.Event, o.counts.Dropped, o.counts.VideoCounts = "end", s.frames.Dropped(), s.video.Counts()
		o.counts.Captured, o.counts.Missed = s.feed.Counts()
		o.trace.Put(o.counts)
	}
	return errors.Join(err, o.trace.Close())
}
