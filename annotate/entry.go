package annotate

// Entry is a live mark as a replica has it, with its anchor where one holds for it.
type Entry struct {
	ID   string
	Mark Mark
	// Anchor is nil until the mark is anchored as it now stands.
	Anchor *Anchor
	// Captured names the frame the mark was drawn on: microseconds on its publisher's clock.
	Captured int64
	// Time is the session time of the mark in microseconds, From its sender.
	Time int64
	From string
}
