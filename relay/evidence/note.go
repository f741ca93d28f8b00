package evidence

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Heads and checkpoints are signed notes (C2SP signed-note): lines of text, an empty line, the signature.
const (
	headTitle = "sightline case head v1"
	// Origin is the first line of the transparency log's checkpoints.
	Origin = "sightline evidence log v1"
)

// Head is what is signed: the hash of the chain up to a line.
type Head struct {
	Case string
	N    uint64 // the line
	Hash string // of it
}

// Text is what is signed.
func (h Head) Text() string { return fmt.Sprintf("%s\n%s\n%d\n%s\n", headTitle, h.Case, h.N, h.Hash) }

// ParseHead reads the text of a head.
func ParseHead(text string) (Head, error) {
	f := strings.Split(text, "\n")
	if len(f) != 5 || f[0] != headTitle || f[4] != "" {
		return Head{}, errors.New("is not a head")
	}
	n, err := strconv.ParseUint(f[2], 10, 64)
	h := Head{Case: f[1], N: n, Hash: f[3]}
	if err != nil || h.Text() != text {
		return Head{}, errors.New("is not a head")
	}
	return h, nil
}

// CheckpointText is what the transparency log signs of a tree (C2SP tlog-checkpoint).
func CheckpointText(t tlog.Tree) string { return fmt.Sprintf("%s\n%d\n%s\n", Origin, t.N, t.Hash) }

// ParseCheckpoint reads the text of a checkpoint.
func ParseCheckpoint(text string) (tlog.Tree, error) {
	f := strings.Split(text, "\n")
	if len(f) != 4 || f[0] != Origin || f[3] != "" {
		return tlog.Tree{}, errors.New("is not a checkpoint")
	}
	n, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil || n < 1 {
		return tlog.Tree{}, errors.New("is not a checkpoint")
	}
	hash, err := tlog.ParseHash(f[2])
	t := tlog.Tree{N: n, Hash: hash}
	if err != nil || CheckpointText(t) != text {
		return tlog.Tree{}, errors.New("is not a checkpoint")
	}
	return t, nil
}

// errWrongKey says that a note was signed by somebody else.
var errWrongKey = errors.New("was not signed with this key")

// IsKey says whether a line verifies signatures.
func IsKey(line string) bool {
	_, err := note.NewVerifier(line)
	return err == nil
}

// OpenNote checks the signature of a note, which one of the keys has signed, and returns its text. There is one way to
// write a note.
func OpenNote(signed string, keys ...note.Verifier) (string, error) {
	n, err := note.Open([]byte(signed), note.VerifierList(keys...))
	var unverified *note.UnverifiedNoteError
	switch {
	case errors.As(err, &unverified):
		return "", errWrongKey
	case err != nil:
		return "", fmt.Errorf("its signature does not hold: %w", err)
	case len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 0:
		return "", errors.New("it has more than one signature")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64)
	if err != nil {
		return "", errors.New("its signature is not written as one is")
	}
	again := n.Text + "\n— " + n.Sigs[0].Name + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
	if again != signed {
		return "", errors.New("it is not written as a note is")
	}
	return n.Text, nil
}
