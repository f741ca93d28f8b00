package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Every route that is served is in the document with the right that it needs, and every route of the document is
// served.
func TestTheDocumentIsWhatIsServed(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]struct {
			Description string
			Security    *[]any
		}
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for path, methods := range doc.Paths {
		for method := range methods {
			described[strings.ToUpper(method)+" "+path] = true
		}
	}
	for _, r := range routes() {
		name := r.method + " " + r.path
		if !described[name] {
			t.Errorf("%s is served and not described", name)
		}
		delete(described, name)
		op := doc.Paths[r.path][strings.ToLower(r.method)]
		if want := "Needs the right " + r.right + "."; r.right != "" && op.Description != want {
			t.Errorf("%s: description %q, want %q", name, op.Description, want)
		}
		if open := op.Security != nil; open != r.open {
			t.Errorf("%s: the document says that it needs no token: %v", name, open)
		}
	}
	if len(described) > 0 {
		t.Errorf("described and not served: %v", slices.Collect(maps.Keys(described)))
	}
}
