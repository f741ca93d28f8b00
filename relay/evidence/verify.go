package evidence

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// VerifyConfig is what Verify needs besides the case.
type VerifyConfig struct {
	// Key verifies the relay's signatures: what relay seal-key prints, or relay seal-key list, with the successions.
	Key string
	// Roots are the authorities' root certificates; nil does not judge them.
	Roots *x509.CertPool
	// Decrypt makes the pieces readable, to compare what is in them; nil leaves that out for encrypted cases.
	Decrypt Decrypt
}

// Verify proves a case, the folder or the archive. The error says why it could not even begin; whatever is
// wrong with the case itself is in the report.
func Verify(path string, cfg VerifyConfig) (*Report, error) {
	keys, err := parseRing(cfg.Key)
	if err != nil {
		return nil, err
	}
	v := &verifier{cfg: cfg, keys: keys, report: &Report{Faults: []Fault{}, Remarks: []string{}, Stamps: []Stamp{}},
		pieces: map[string][]Piece{}}
	v.source, err = openSource(path)
	if err != nil && errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		v.report.fault(Unread, "the case", "%v", err)
		return v.report, nil
	}
	v.run()
	return v.report, v.source.close()
}

// verifier is one run of Verify.
type verifier struct {
	cfg    VerifyConfig
	keys   *ring
	source source
	report *Report

	manifest Manifest
	pieces   map[string][]Piece
	last     Record        // the line before
	prev     string        // its hash
	n        uint64        // of the line that comes
	broken   bool          // the chain does not hold
	covered  uint64        // the lines before it are signed for
	tree     tlog.Tree     // that the last checkpoint names
	head     string        // the text of the last head
	at       int64         // latest session time
	lag      int64         // of the wall clock against session time, µs
	clocked  bool          // lag is known
	jump     int64         // the recorder says that it set
	jumped   bool          //
	stands   bool          // session time stands still: the case was recovered
	closing  []string      // the kinds of the records from the last end on
	stamped  bool          // the last end says that a stamp follows
	own      note.Verifier // of a second recorder; nil for a relay's case
	received bool          // the relay signs from here on
	vouched  bool          // the key that was given speaks for a second recorder's case
}

func (v *verifier) run() {
	r := v.report
	if a, ok := v.source.(*archive); ok {
		var d differs
		if err := a.check(); errors.As(err, &d) {
			r.fault(Changed, fmt.Sprintf("the archive, byte %d", d.at), "it is not as it was packed")
		} else if err != nil {
			r.fault(Unread, "the archive", "%v", err)
		}
	}
	v.chain()
	v.files()
	if len(r.Faults) == 0 {
		v.contents()
	}
	r.Case, r.ClosedBy = v.manifest.Case, v.manifest.ClosedBy
	r.Proven = len(r.Faults) == 0
}

// chain reads the chain once, from its beginning to its end.
func (v *verifier) chain() {
	in, err := v.source.open(ChainFile)
	if err != nil {
		v.report.fault(Missing, ChainFile, "%v", err)
		return
	}
	v.prev = zeroHash
	lines := bufio.NewReaderSize(in, 64<<10)
	size := int64(0)
	for {
		line, err := readLine(lines)
		if err == io.EOF {
			break
		}
		if err != nil {
			v.report.fault(Unread, ChainFile, "%v", err)
			return
		}
		size += int64(len(line)) + 1
		v.line(line)
	}
	if size != in.Size() {
		v.report.fault(Truncated, v.place(), "the chain ends in the middle of a record")
	}
	v.ending()
}

func (v *verifier) place() string { return fmt.Sprintf("%s line %d", ChainFile, v.n+1) }

// line takes the next line.
func (v *verifier) line(line []byte) {
	defer func() { v.n, v.prev = v.n+1, hashOf(line) }()
	r, err := ParseRecord(line)
	switch {
	case v.broken:
	case err != nil:
		v.broken = true
		v.report.fault(Changed, v.place(), "the record cannot be read: %v", err)
	case r.N > v.n:
		v.broken = true
		v.report.fault(missingOr(v.follows(v.n)), v.place(), "record %d comes where %d should", r.N, v.n)
	case r.N < v.n:
		v.broken = true
		v.report.fault(Added, v.place(), "record %d comes again where %d should", r.N, v.n)
	case r.Prev != v.prev:
		v.broken = true
		v.report.fault(Changed, fmt.Sprintf("%s line %d or %d", ChainFile, v.n, v.n+1), "the record does not follow from the one before")
	}
	if err != nil {
		return
	}
	v.report.Records++
	v.record(r)
	v.last = r
}

func missingOr(reordered bool) string {
	if reordered {
		return Reordered
	}
	return Missing
}

// follows says whether record n comes later in the chain.
func (v *verifier) follows(n uint64) bool {
	in, err := v.source.open(ChainFile)
	found := false
	if err == nil {
		_ = eachLine(in, func(line []byte) error {
			found = found || bytes.HasPrefix(line, []byte(fmt.Sprintf(`{"n":%d,`, n)))
			return nil
		})
	}
	return found
}

// record takes what a record says.
func (v *verifier) record(r Record) {
	v.manifest.take(r)
	v.time(r)
	for _, k := range r.Keys {
		v.succession(k)
	}
	if (r.Kind == KindBegin) != (v.n == 0) {
		v.report.fault(Changed, v.place(), "a case begins once, with its first record")
	}
	if len(v.closing) > 0 || r.Kind == KindEnd {
		v.closing = append(v.closing, r.Kind)
	}
	switch r.Kind {
	case KindBegin:
		if r.Case == nil || r.Case.Format != Format {
			v.report.fault(Unread, v.place(), "the format of the case is not %d", Format)
		}
		v.standby()
	case KindPieces:
		for _, p := range r.Pieces {
			v.piece(p)
		}
	case KindHead:
		v.headRecord(r)
	case KindLogged:
		v.loggedRecord(r)
	case KindStamp:
		v.stampRecord(r)
	case KindUnstamped:
		v.report.remark("there is no timestamp: %s", r.Why)
	case KindRecovered:
		v.recoveredRecord(r)
	case KindReceived:
		v.received, v.stands, v.tree = true, true, tlog.Tree{}
		v.report.remark("this second recorder's case reached the relay on %s, with %s", r.UTC, r.Who)
	case KindStandby:
		if r.Standby != nil {
			v.report.remark("%s had a second recorder, whose case is %s", r.Standby.Name, r.Standby.Case)
		}
	case KindGap:
		if r.Gap != nil {
			v.report.remark("%s to %s of %s is not recorded; %s: %s", micros(r.Gap.From), micros(r.Gap.To), r.Gap.What, r.Gap.Who, r.Gap.Why)
		}
	case KindConsent:
		if r.Consent != nil {
			v.report.remark("%s was asked for consent; given: %t", r.Consent.Name, r.Consent.Given)
		}
	case KindDeleted:
		v.report.fault(Deleted, v.place(), "the contents were deleted on %s by %s: %s", r.UTC, r.Who, r.Why)
		v.pieces, v.stands = map[string][]Piece{}, true
	case KindEnd:
		v.closing, v.stamped = []string{KindEnd}, r.Stamped
	}
}

func (v *verifier) recoveredRecord(r Record) {
	v.closing, v.stands = nil, true
	delete(v.pieces, ManifestFile)
	bytes := int64(0)
	for _, c := range r.Cut {
		bytes += c.Bytes
	}
	v.report.remark("%s; it was closed by recovery on %s, and %d bytes that had not been sealed were cut off", r.Why, r.UTC, bytes)
}

// piece takes a piece in its file's order.
func (v *verifier) piece(p Piece) {
	all := v.pieces[p.File]
	end := int64(0)
	if len(all) > 0 {
		end = all[len(all)-1].Offset + all[len(all)-1].Size
	}
	follows := plainName(p.File) && p.Offset == end
	switch {
	case p.fits() && follows:
		v.pieces[p.File] = append(all, p)
	case v.broken: // it was said
	case !p.fits():
		v.report.fault(Changed, v.place(), "a piece of %q has %d bytes, and %d before encryption; none has more than %d", p.File, p.Size, p.Plain, maxPiece)
	default:
		v.report.fault(Changed, v.place(), "the piece of %q at byte %d does not follow from the one before", p.File, p.Offset)
	}
}

// plainName says whether a name can be a file of a case.
func plainName(s string) bool {
	return s != "" && s != ChainFile && s != "." && s != ".." && !strings.ContainsAny(s, `/\`)
}

// files compares every file with its pieces.
func (v *verifier) files() {
	r := v.report
	names, err := v.source.names()
	if err != nil {
		r.fault(Unread, "the case", "%v", err)
	}
	for _, name := range names {
		if _, ok := v.pieces[name]; !ok && name != ChainFile {
			r.fault(Added, name, "the chain knows no such file")
		}
	}
	for _, f := range v.manifest.Files {
		switch all, ok := v.pieces[f.Name]; {
		case !ok:
		case !slices.Contains(names, f.Name):
			r.fault(Missing, f.Name, "the chain has %d pieces of it", len(all))
		default:
			v.file(f.Name, all)
		}
	}
}

func (v *verifier) file(name string, pieces []Piece) {
	r := v.report
	in, err := v.source.open(name)
	if err != nil {
		r.fault(Unread, name, "%v", err)
		return
	}
	r.Files++
	end := pieces[len(pieces)-1].Offset + pieces[len(pieces)-1].Size
	for i, p := range pieces {
		place := fmt.Sprintf("%s bytes %d to %d (piece %d of %d, session time %s to %s)", name, p.Offset, p.Offset+p.Size, i+1, len(pieces), micros(p.From), micros(p.To))
		if p.Offset+p.Size > in.Size() {
			r.fault(Truncated, place, "the file ends at byte %d", in.Size())
			break
		}
		sum, err := hashSection(in, p)
		if err != nil {
			r.fault(Unread, place, "%v", err)
			break
		}
		if sum != p.SHA256 {
			kind := Changed
			if slices.ContainsFunc(pieces, func(o Piece) bool { return o.SHA256 == sum }) {
				kind = Reordered
			}
			r.fault(kind, place, "the bytes are not those that were sealed")
			continue
		}
		r.Pieces++
		r.Bytes += p.Size
	}
	if in.Size() > end {
		r.fault(Added, fmt.Sprintf("%s byte %d", name, end), "%d bytes were not sealed", in.Size()-end)
	}
}

func hashSection(in io.ReaderAt, p Piece) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, io.NewSectionReader(in, p.Offset, p.Size))
	return hex.EncodeToString(h.Sum(nil)), err
}
