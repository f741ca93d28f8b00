package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sightline/relay/wire"
)

// Began returns when the session of a room began, µs since the Unix epoch: now, for a room that is new.
func (b *Bus) Began(ctx context.Context, room string, now int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type entry struct {
		Began int64 `json:"began"`
	}
	data, err := json.Marshal(entry{now})
	if err != nil {
		return 0, err
	}
	if _, err = b.rooms.Create(ctx, room, data); err == nil {
		return now, nil
	}
	if !errors.Is(err, jetstream.ErrKeyExists) {
		return 0, fmt.Errorf("directory of rooms: %w", err)
	}
	kept, err := b.rooms.Get(ctx, room)
	if err != nil {
		return 0, fmt.Errorf("directory of rooms: %w", err)
	}
	var e entry
	if err := json.Unmarshal(kept.Value(), &e); err != nil || e.Began <= 0 {
		return 0, fmt.Errorf("directory of rooms: entry of %s cannot be read: %s", room, kept.Value())
	}
	return e.Began, nil
}

// Append writes a message to a room's log; late says that it does not hold its register. It returns the
// message's place in the log, and whether it was there before under the same name. While the backbone elects a leader,
// Append waits; it fails after patience, or with ctx, and at once with wire.ErrTooLarge.
func (b *Bus) Append(ctx context.Context, room string, e wire.Envelope, late bool) (seq uint64, again bool, err error) {
	e.Seq = 0
	data, err := e.Encode()
	if err != nil {
		return 0, false, err
	}
	if most := min(wire.MaxLogged, b.conn.MaxPayload()); int64(len(data)) > most {
		return 0, false, fmt.Errorf("%w: %d bytes, at most %d are taken", wire.ErrTooLarge, len(data), most)
	}
	m := nats.NewMsg(subject(room, e, late))
	m.Data = data
	ack, err := b.publish(ctx, m, jetstream.WithMsgID(room+"/"+e.From+"/"+e.Msg))
	if err != nil {
		return 0, false, fmt.Errorf("append to the log of %s: %w", room, err)
	}
	return ack.Sequence, ack.Duplicate, nil
}

// Last returns the messages that hold the registers of a room, oldest first.
func (b *Bus) Last(ctx context.Context, room string) ([]wire.Envelope, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*timeout)
	defer cancel()
	var all []wire.Envelope
	err := b.read(ctx, []string{"room." + room + ".>"}, func(e wire.Envelope, more uint64) bool {
		all = append(all, e)
		return more > 0
	}, true)
	return all, err
}

// Get returns the message that holds one register of a room; ok is false where there is none.
func (b *Bus) Get(ctx context.Context, room, kind, id string) (e wire.Envelope, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m, err := b.log.GetLastMsgForSubject(ctx, subject(room, wire.Envelope{Kind: kind, ID: id}, false))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return wire.Envelope{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal(m.Data, &e)
	}
	if err != nil {
		return wire.Envelope{}, false, fmt.Errorf("read the log: %w", err)
	}
	e.Seq = m.Sequence
	return e, true, nil
}

// Follow calls fn with the last message of every register of a room, then with all that come, in the
// order of the log, until ctx ends, fn fails, or the log is away for longer than patience. fn may block: the log waits
// on disk.
func (b *Bus) Follow(ctx context.Context, room string, fn func(wire.Envelope) error) error {
	var failed error
	err := b.read(ctx, []string{"room." + room + ".>", "late." + room + ".>"}, func(e wire.Envelope, _ uint64) bool {
		failed = fn(e)
		return failed == nil
	}, false)
	return errors.Join(failed, err)
}

func decode(m jetstream.Msg) (wire.Envelope, *jetstream.MsgMetadata, error) {
	meta, err := m.Metadata()
	if err != nil {
		return wire.Envelope{}, nil, &badMessage{fmt.Errorf("read the log: %w", err)}
	}
	var e wire.Envelope
	if err := json.Unmarshal(m.Data(), &e); err != nil {
		return wire.Envelope{}, nil, &badMessage{fmt.Errorf("message %d of the log: %w", meta.Sequence.Stream, err)}
	}
	e.Seq = meta.Sequence.Stream
	return e, meta, nil
}

func subject(room string, e wire.Envelope, late bool) string {
	class := "room"
	if late {
		class = "late"
	}
	return class + "." + room + "." + e.Kind + "." + token(e.ID)
}

// token writes an id as one token of a subject. The empty id is a lone %.
func token(id string) string {
	if id == "" {
		return "%"
	}
	var b strings.Builder
	for i := range len(id) {
		c := id[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '/' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
