package cluster

// Known is how many rooms the directory knows, which live at a relay that does.
func (d *Directory) Known() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range d.rooms {
		if p := d.peers[name]; name == d.cfg.Name || p != nil && d.cfg.Now().Sub(p.at) < dead {
			n++
		}
	}
	return n
}
