package call

import (
	"crypto/rand"
	"errors"
	"fmt"

	"sightline/annotate"
	"sightline/relay/client"
	"sightline/relay/wire"
)

// Create draws a mark on the frame captured and returns its ID. It is on screen at once, and reaches the
// others when there is a connection.
func (c *Call) Create(m annotate.Mark, captured int64) (string, error) {
	c.edits.Lock()
	defer c.edits.Unlock()
	id, env, err := c.edit.Create(m, captured)
	if err != nil {
		return "", err
	}
	c.steps = append(c.steps, 1)
	return id, c.publish(env)
}

// Move draws a live mark anew, on the frame captured.
func (c *Call) Move(id string, m annotate.Mark, captured int64) error {
	c.edits.Lock()
	defer c.edits.Unlock()
	env, err := c.edit.Move(id, m, captured)
	if err != nil {
		return err
	}
	c.steps = append(c.steps, 1)
	return c.publish(env)
}

// Delete takes marks away, whoever made them, as one edit. Those that are gone already are no error.
func (c *Call) Delete(ids ...string) error {
	c.edits.Lock()
	defer c.edits.Unlock()
	var errs []error
	n := 0
	for _, id := range ids {
		env, err := c.edit.Delete(id)
		if err != nil {
			continue
		}
		n++
		errs = append(errs, c.publish(env))
	}
	if n > 0 {
		c.steps = append(c.steps, n)
	}
	return errors.Join(errs...)
}

// Undo takes this expert's last edit back; false where there is none.
func (c *Call) Undo() (bool, error) {
	c.edits.Lock()
	defer c.edits.Unlock()
	if len(c.steps) == 0 || !c.edit.CanUndo() {
		return false, nil
	}
	n := c.steps[len(c.steps)-1]
	c.steps = c.steps[:len(c.steps)-1]
	var errs []error
	for range n {
		envs, err := c.edit.Undo()
		errs = append(errs, err)
		for _, env := range envs {
			errs = append(errs, c.publish(env))
		}
	}
	return true, errors.Join(errs...)
}

// publish writes an edit to the log. The log's message has a name and a time of its own; it takes the
// place of the one that the editor applied.
func (c *Call) publish(env wire.Envelope) error {
	sent, err := c.client.Publish(env.Kind, env.ID, env.Captured, env.Body)
	if err == nil {
		_, err = c.marks.Apply(sent)
	}
	c.marks.Forget(env.Msg)
	c.mu.Lock()
	c.touch()
	c.mu.Unlock()
	if errors.Is(err, client.ErrNotJoined) {
		return errors.New("not connected yet: the relay has not been reached")
	}
	return err
}

// Consent answers whether this participant may be recorded.
func (c *Call) Consent(given bool) error {
	state := wire.ConsentRefused
	if given {
		state = wire.ConsentGiven
	}
	_, err := c.client.Publish(wire.KindConsent, c.client.Self().ID, 0, wire.Consent{State: state})
	return err
}

// Pause pauses the recording for everybody, with the reason, or lets it go on.
func (c *Call) Pause(on bool, why string) error {
	_, err := c.client.Publish(wire.KindPrivacy, "session", 0, wire.Privacy{On: on, Why: why})
	return err
}

// Snapshot tells the room that a picture of a camera's frame was kept.
func (c *Call) Snapshot(camera string, captured int64) error {
	_, err := c.client.Publish(wire.KindSnapshot, "s-"+rand.Text()[:12], captured, wire.Snapshot{Camera: camera})
	return err
}

// Say writes into the room's chat.
func (c *Call) Say(text string) error {
	if len(text) > 2000 {
		return fmt.Errorf("a message has at most 2000 bytes, this one has %d", len(text))
	}
	_, err := c.client.Publish(wire.KindChat, "c-"+rand.Text()[:12], 0, wire.Chat{Text: text})
	return err
}
