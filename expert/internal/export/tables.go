package export

import (
	"cmp"
	"encoding/csv"
	"io"
	"strconv"
	"time"

	"sightline/annotate/scene"
	"sightline/devices"
	"sightline/expert/internal/tape"
)

// telemetry writes every reading: when it came in session time, on the film and on the wall clock, and what it was.
func (e *exporter) telemetry(to io.Writer) error {
	w := csv.NewWriter(to)
	w.Write([]string{"session_us", "film_s", "utc", "machine", "tag", "title", "value", "unit", "quality", "alarm", "source_us"})
	t := e.cfg.Tape
	t.Values(func(v tape.Value) bool {
		source := ""
		if v.Source != 0 {
			source = strconv.FormatInt(v.Source, 10)
		}
		w.Write([]string{strconv.FormatInt(v.At, 10), seconds(v.At - t.Start), utc(t, v.At), v.Machine, v.Tag, t.TagTitle(v.Machine, v.Tag),
			value(v.Reading), v.Unit, string(v.Quality), v.Alarm, source})
		return w.Error() == nil
	})
	w.Flush()
	return w.Error()
}

// frames writes every frame of the film with the machines' values of that very instant.
func (e *exporter) frames(to io.Writer) error {
	w := csv.NewWriter(to)
	t := e.cfg.Tape
	tags := t.Tags()
	head := []string{"captured_us", "session_us", "film_s", "utc", "recorder", "tracking", "marks"}
	for _, tag := range tags {
		head = append(head, tag.Machine+"/"+tag.Tag)
	}
	w.Write(head)
	if e.camera == nil {
		w.Flush()
		return w.Error()
	}
	for _, s := range plan(t, e.camera) {
		if s.shot < 0 {
			continue
		}
		shot := e.camera.Shots[s.shot]
		state := ""
		if p, ok := t.Pose(e.camera.Participant, shot.Captured); ok {
			state = string(p.State)
		}
		row := []string{strconv.FormatInt(shot.Captured, 10), strconv.FormatInt(shot.Session, 10), seconds(s.at), utc(t, shot.Session), cmp.Or(t.Recorder(e.camera, s.shot), "relay"), state,
			strconv.Itoa(len(t.Marks(shot.Session)))}
		for _, tag := range tags {
			cell := ""
			if v, ok := t.Reading(tag, shot.Session); ok {
				cell = value(v.Reading)
			}
			row = append(row, cell)
		}
		w.Write(row)
	}
	w.Flush()
	return w.Error()
}

func seconds(us int64) string { return strconv.FormatFloat(float64(us)/1e6, 'f', 3, 64) }

func utc(t *tape.Tape, session int64) string {
	return time.UnixMicro(t.UTC(session)).UTC().Format("2006-01-02T15:04:05.000Z")
}

// value is a reading to the last digit.
func value(r devices.Reading) string {
	if r.Number != nil {
		return strconv.FormatFloat(*r.Number, 'g', -1, 64)
	}
	return scene.Value(r)
}
