package track

import "slices"

// Movable says whether another tracker can TakeOver now: whether each mark has its place, or was drawn on a frame that is
// remembered with its picture.
func (t *Tracker) Movable() bool {
	for _, a := range t.anchors {
		if a.State != Placed && a.State != Refused && (len(t.history) == 0 || a.frame == nil || a.frame.captured < t.history[0].captured) {
			return false
		}
	}
	return true
}

// TakeOver sees again what another tracker remembers, which has another lens, and takes its marks over: those drawn on these
// frames are placed anew, those that are known from Recall stay, but for those the other one has forgotten since. It takes
// some milliseconds for each frame.
func (t *Tracker) TakeOver(from *Tracker) error {
	for _, f := range from.history {
		if _, err := t.Track(f.grey, f.captured); err != nil {
			return err
		}
	}
	for _, id := range slices.Clone(t.order) {
		if from.anchors[id] == nil {
			t.Forget(id)
		}
	}
	for _, id := range from.order {
		a := from.anchors[id]
		known := t.anchors[id] != nil
		switch f := a.frame; {
		case a.State == Refused:
			t.put(&anchor{Placement: a.Placement})
		case f == nil:
		case !known:
			t.Place(id, f.captured, a.pixels)
		default:
			if same := t.find(f.captured); same != nil && same.tracked && t.snapshot != nil {
				t.Place(id, f.captured, a.pixels)
			}
		}
	}
	return nil
}
