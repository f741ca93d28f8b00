package mqtt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"sightline/devices"
)

// maxPayload is the largest payload that is read; maxText the longest text value.
const (
	maxPayload = 64 << 10
	maxText    = 1000
)

// value is a tag's payload.
type value struct {
	Value   json.RawMessage `json:"value"`
	Time    *float64        `json:"time"` // ms since the Unix epoch
	Quality string          `json:"quality"`
}

// parseReading reads a tag's payload: an object with a value, or a bare value. Machine, Tag and the
// times of arrival are the caller's to fill in.
func parseReading(payload []byte) (devices.Reading, error) {
	v := value{Value: bytes.TrimSpace(payload)}
	if len(v.Value) > 0 && v.Value[0] == '{' {
		v = value{}
		if err := json.Unmarshal(payload, &v); err != nil {
			return devices.Reading{}, fmt.Errorf("payload is not JSON as it should be: %w", err)
		}
	}
	r := devices.Reading{Quality: devices.Good}
	if err := setValue(&r, v.Value); err != nil {
		return devices.Reading{}, err
	}
	var err error
	if r.Source, err = micros(v.Time); err != nil {
		return devices.Reading{}, err
	}
	r.Quality, err = parseQuality(v.Quality)
	return r, err
}

func setValue(r *devices.Reading, raw json.RawMessage) error {
	if len(raw) == 0 {
		return errors.New("payload has no value")
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("payload is not JSON: %w", err)
	}
	switch v := v.(type) {
	case float64:
		r.Number = &v
	case bool:
		r.Flag = &v
	case string:
		if len(v) > maxText {
			return fmt.Errorf("text of %d bytes, at most %d", len(v), maxText)
		}
		r.Text = &v
	default:
		return fmt.Errorf("value is a %T, want a number, a text or a bool", v)
	}
	return nil
}

// micros turns a payload's time into µs; 0 where there is none.
func micros(ms *float64) (int64, error) {
	if ms == nil {
		return 0, nil
	}
	if math.IsNaN(*ms) || *ms < 0 || *ms > 4e12*1e3 {
		return 0, fmt.Errorf("time %v is not in milliseconds since 1970", *ms)
	}
	return int64(math.Round(*ms * 1000)), nil
}

func parseQuality(s string) (devices.Quality, error) {
	switch q := devices.Quality(strings.ToLower(s)); q {
	case "":
		return devices.Good, nil
	case devices.Good, devices.Uncertain, devices.Bad, devices.Stale:
		return q, nil
	}
	return "", fmt.Errorf("quality %.40q, want good, uncertain or bad", s)
}

// parseBirth reads a machine's birth. The topic says which machine it is, whatever the payload claims.
func parseBirth(machine string, payload []byte) (devices.Machine, error) {
	m := devices.Machine{Marker: -1}
	if err := json.Unmarshal(payload, &m); err != nil {
		return devices.Machine{}, fmt.Errorf("birth is not JSON as it should be: %w", err)
	}
	m.Name = machine
	m.SilentAfter = max(m.SilentAfter, 0)
	return m, nil
}

// machineAlarm is the payload of an alarm that a machine raises itself.
type machineAlarm struct {
	Active *bool    `json:"active"`
	Text   string   `json:"text"`
	Time   *float64 `json:"time"` // ms since the Unix epoch
}

func parseAlarm(payload []byte) (devices.Alarm, error) {
	var a machineAlarm
	if err := json.Unmarshal(payload, &a); err != nil {
		return devices.Alarm{}, fmt.Errorf("alarm is not JSON as it should be: %w", err)
	}
	if a.Active == nil || len(a.Text) > maxText {
		return devices.Alarm{}, errors.New("alarm needs active (a bool) and a text of at most 1000 bytes")
	}
	source, err := micros(a.Time)
	return devices.Alarm{Active: *a.Active, Text: a.Text, Source: source}, err
}
