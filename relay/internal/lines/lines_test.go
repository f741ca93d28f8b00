package lines

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lines")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, line := range []string{"a", "b"} {
		if err := Append(f, []byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.WriteString("tor"); err != nil {
		t.Fatal(err)
	}
	if err := Append(f, []byte("c")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "a\nb\ntor\nc\n" {
		t.Errorf("%q %v", got, err)
	}
}
