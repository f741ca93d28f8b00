package mapping

import "testing"

// What was counted on the simulated plant: a place that is seen again in a map of minutes or of an hour is known, one that is
// alike in parts is not.
func TestEnough(t *testing.T) {
	for _, c := range []struct {
		what                            string
		known, beside, inView, features int
		want                            bool
	}{
		{"after a minute", 250, 300, 700, 400, true},
		{"after an hour, with ten landmarks for each feature", 356, 361, 4141, 400, true},
		{"from aside, after an hour", 270, 303, 1764, 365, true},
		{"partly hidden", 90, 110, 500, 380, true},
		{"alike in parts", 90, 170, 500, 380, false},
		{"a corner that is alike", 60, 70, 900, 400, false},
		{"hardly anything", 20, 22, 60, 100, false},
	} {
		if got := enough(c.known, c.beside, c.inView, c.features); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}
