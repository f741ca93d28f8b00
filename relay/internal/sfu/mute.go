package sfu

// Mute stops the writing of the track to all sinks, or lets it go on: nobody receives a muted track and nothing of it
// is recorded, while its publisher goes on sending. Receivers see no gap; a picture goes on with its next key frame.
func (u *Up) Mute(on bool) {
	if u.sizes != nil {
		for _, l := range u.sizes.all() {
			l.Mute(on)
		}
	}
	u.mu.Lock()
	if u.muted == on {
		u.mu.Unlock()
		return
	}
	u.muted = on
	u.group.end()
	for _, s := range u.sinks {
		if d, ok := s.(*Down); ok {
			d.interrupt()
		}
	}
	u.mu.Unlock()
	if !on {
		u.RequestKey()
	}
}

// interrupt makes the slot go on with its next key frame, under numbers that follow.
func (d *Down) interrupt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = true
	d.drop()
}
