package evidence

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// headRecord checks a signature over the chain up to here.
func (v *verifier) headRecord(r Record) {
	text, err := OpenNote(r.Note, v.signers()...)
	if errors.Is(err, errWrongKey) {
		v.report.fault(WrongKey, v.place(), "the head %v %s", err, v.signers()[0].Name())
		return
	}
	var h Head
	if err == nil {
		h, err = ParseHead(text)
	}
	switch {
	case err != nil:
		v.report.fault(Changed, v.place(), "the head: %v", err)
	case v.broken:
	case h.Case != v.manifest.Case.ID:
		v.report.fault(Changed, v.place(), "the head is of another case, %s", h.Case)
	case h.N+1 != v.n || h.Hash != v.prev:
		v.report.fault(Changed, v.place(), "the head was signed for another chain")
	default:
		v.head = text
		v.covered = v.n
		v.vouched = v.vouched || v.received
		v.report.SealedTo = v.manifest.To
	}
}

// loggedRecord checks that the head is in the transparency log, and that the log only grew.
func (v *verifier) loggedRecord(r Record) {
	err := errors.New("it proves nothing")
	var tree tlog.Tree
	if r.Logged != nil && v.last.Kind == KindHead {
		tree, err = v.checkLogged(*r.Logged)
	}
	if errors.Is(err, errWrongKey) {
		v.report.fault(WrongKey, v.place(), "the checkpoint of the transparency log %v", err)
		return
	}
	if err != nil {
		v.report.fault(BrokenLog, v.place(), "%v", err)
		return
	}
	v.tree = tree
	v.report.Heads++
	v.report.Log = &LogSeen{tree.N, tree.Hash.String()}
}

func (v *verifier) checkLogged(l Logged) (tlog.Tree, error) {
	text, err := OpenNote(l.Checkpoint, v.signers()...)
	if err != nil {
		return tlog.Tree{}, err
	}
	tree, err := ParseCheckpoint(text)
	if err != nil {
		return tlog.Tree{}, err
	}
	if err := tlog.CheckRecord(l.Proof, tree.N, tree.Hash, l.Index, tlog.RecordHash([]byte(v.last.Note))); err != nil {
		return tlog.Tree{}, errors.New("it is not proven that the head is in the transparency log")
	}
	switch {
	case v.tree.N == 0:
		if len(l.Consistency) != 0 {
			return tlog.Tree{}, errors.New("there is nothing before that it could be consistent with")
		}
	case tree.N <= v.tree.N:
		return tlog.Tree{}, errors.New("the transparency log did not grow")
	default:
		if err := tlog.CheckTree(l.Consistency, tree.N, tree.Hash, v.tree.N, v.tree.Hash); err != nil {
			return tlog.Tree{}, errors.New("it is not proven that the transparency log only grew")
		}
	}
	return tree, nil
}

// stampRecord checks a timestamp of the last head.
func (v *verifier) stampRecord(r Record) {
	s, err := CheckStamp(r.Stamp, v.head, v.cfg.Roots)
	if err != nil {
		v.report.fault(BadStamp, v.place(), "%v", err)
		return
	}
	v.report.Stamps = append(v.report.Stamps, s)
}

// time sees that both clocks run forwards, and together.
func (v *verifier) time(r Record) {
	wall, ok := r.wall()
	if r.Kind == KindClock {
		v.jump, v.jumped = v.jump+r.Jump, true
		v.report.remark("the wall clock was set by %s at %s of session time; session time went on", micros(r.Jump), micros(r.At))
	}
	if !ok {
		if r.UTC != "" {
			v.report.fault(Changed, v.place(), "%q is no time", r.UTC)
		}
		return
	}
	lag := wall.UnixMicro() - r.At
	const slack = 2 * clockSlack
	switch off := lag - v.lag - v.jump; {
	case r.At < v.at:
		v.report.fault(Clock, v.place(), "session time ran backwards, from %s to %s", micros(v.at), micros(r.At))
	case v.clocked && !v.stands && r.Kind != KindRecovered && r.Kind != KindDeleted && r.Kind != KindReceived && (off > slack || off < -slack):
		v.report.fault(Clock, v.place(), "the wall clock was set by %s, and the recorder does not say so", micros(off))
	}
	v.at, v.lag, v.clocked, v.jump = max(v.at, r.At), lag, true, 0
}

// standby prepares for a second recorder's case: its own key signs until the relay has received it.
func (v *verifier) standby() {
	if v.manifest.Case.Standby == "" {
		return
	}
	own, err := note.NewVerifier(v.manifest.Case.Key)
	if err != nil {
		v.report.fault(Changed, v.place(), "the second recorder's key is none: %v", err)
		return
	}
	v.own = own
	v.vouched = v.keys.trusts(v.manifest.Case.Key)
}

// signers verify what is signed here.
func (v *verifier) signers() []note.Verifier {
	if v.own != nil && !v.received {
		return []note.Verifier{v.own}
	}
	return v.keys.verifiers()
}

// succession takes the word of two keys that one follows the other.
func (v *verifier) succession(signed string) {
	before := len(v.keys.keys)
	if err := v.keys.add(signed); err != nil {
		v.report.fault(Changed, v.place(), "%v", err)
		return
	}
	if len(v.keys.keys) > before {
		s := v.keys.known[len(v.keys.known)-1]
		v.report.remark("the relay's key was changed on %s, from %s to %s; both have signed that", s.UTC, s.Old, s.New)
	}
}

// ending sees that the case is complete.
func (v *verifier) ending() {
	r := v.report
	want := []string{KindEnd, KindHead, KindLogged}
	if v.stamped {
		want = append(want, KindStamp, KindHead, KindLogged)
		if len(v.closing) > 3 && v.closing[3] == KindUnstamped {
			want[3] = KindUnstamped
		}
	}
	if v.received {
		want = append(want, KindReceived, KindHead, KindLogged)
	}
	if v.manifest.Deleted {
		want = append(want, KindDeleted, KindHead, KindLogged)
	}
	if v.own != nil && !v.vouched && !v.broken {
		r.fault(WrongKey, ChainFile, "it is a second recorder's case, and neither is its own key the one that was given, nor has the relay signed that it received it")
	}
	switch {
	case v.broken:
	case v.n == 0:
		r.fault(Missing, ChainFile, "the chain is empty")
	case len(v.closing) == 0:
		r.fault(NotClosed, v.place(), "the chain ends without an end: the case is still recorded, was not recovered yet, or the rest was taken away; "+
			"%d of %d records are vouched for", v.covered, v.n)
	case slices.Equal(v.closing, want):
	case len(v.closing) < len(want) && slices.Equal(v.closing, want[:len(v.closing)]):
		r.fault(Truncated, v.place(), "after the end, the %s is missing", strings.Join(want[len(v.closing):], ", the "))
	default:
		r.fault(Added, v.place(), "after the end come %s", strings.Join(v.closing[1:], ", "))
	}
}
