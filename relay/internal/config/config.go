// Package config reads the relay's configuration file: YAML, one line for each flag of relay serve, by the
// flag's own name. It knows the line of every value, so that whoever refuses one can say where it stands.
package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is the size past which a file is no configuration, bytes.
const maxFile = 1 << 20

// File is a configuration file that was read. A File of no name is empty.
type File struct {
	Name     string
	values   map[string]value
	sections map[string]section
}

type value struct {
	text string
	line int
}

// Read reads a file. names are the settings that there are, sections those that are lists; a setting that is none of
// them is an error. Every error names the file, and the line where there is one.
func Read(name string, names, sections []string) (*File, error) {
	info, err := os.Stat(name)
	if err == nil && info.Size() > maxFile {
		err = fmt.Errorf("is larger than %d bytes", maxFile)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", name, err)
	}
	return parse(name, data, names, sections)
}

func parse(name string, data []byte, names, sections []string) (*File, error) {
	f := &File{Name: name, values: map[string]value{}, sections: map[string]section{}}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		line, text := yamlError(err)
		return nil, fmt.Errorf("%s:%s: %s; relay config prints an example", name, line, text)
	}
	if len(doc.Content) == 0 {
		return f, nil // nothing but comments
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return f, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: want lines of the form \"name: value\"; relay config prints an example", name, root.Line)
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		take := func() error { return f.take(root.Content[i], root.Content[i+1], slices.Concat(names, sections)) }
		if slices.Contains(sections, root.Content[i].Value) {
			take = func() error { return f.takeSection(root.Content[i], root.Content[i+1]) }
		}
		if err := take(); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, root.Content[i].Line, err)
		}
	}
	return f, nil
}

// yamlError takes an error of the YAML reader apart. It names every line but the first.
func yamlError(err error) (line, text string) {
	text = strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if n, why, ok := strings.Cut(rest, ": "); ok {
			return n, why
		}
	}
	return "1", text
}

// take takes one line.
func (f *File) take(key, v *yaml.Node, names []string) error {
	old, twice := f.values[key.Value]
	switch {
	case !slices.Contains(names, key.Value):
		return fmt.Errorf("there is no setting %.60q%s", key.Value, guess(key.Value, names))
	case twice:
		return fmt.Errorf("%s is set twice, in line %d before; take one out", key.Value, old.line)
	case v.Kind != yaml.ScalarNode:
		return fmt.Errorf("%s: want one value, not a list or a map", key.Value)
	case v.Tag == "!!null":
		return nil // "name:" alone leaves the default
	}
	f.values[key.Value] = value{v.Value, key.Line}
	return nil
}

// guess names the setting that was probably meant.
func guess(key string, names []string) string {
	plain := strings.NewReplacer("_", "", "-", "", ".", "")
	best, least := "", 3
	for _, n := range names {
		if d := distance(plain.Replace(strings.ToLower(key)), plain.Replace(n)); d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return "; relay config prints all that there are"
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// distance is how many letters must be put in, taken out or changed (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Names returns the settings that the file holds, in order of their names.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.values)) }

// Get returns the text of a setting.
func (f *File) Get(name string) (text string, ok bool) {
	v, ok := f.values[name]
	return v.text, ok
}

// Place says where a setting stands, as FILE:LINE, or nothing where the file does not hold it.
func (f *File) Place(name string) string {
	if v, ok := f.values[name]; ok {
		return fmt.Sprintf("%s:%d", f.Name, v.line)
	}
	return ""
}

// Error is a setting that cannot be. Whoever finds it need not know where it was set.
type Error struct {
	Setting string // its name
	Err     error  // what is wrong, and the mend
}

// Error is the error in words, without the place.
func (e *Error) Error() string { return e.Setting + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }

// Bad returns an Error, or nil where err is nil.
func Bad(setting string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{setting, err}
}

// Locate puts the file's line before an error about a setting that the file holds and nobody has overridden.
func (f *File) Locate(err error, overridden func(setting string) bool) error {
	var bad *Error
	if f == nil || !errors.As(err, &bad) || overridden(bad.Setting) {
		return err
	}
	if place := f.Place(bad.Setting); place != "" {
		return fmt.Errorf("%s: %w", place, err)
	}
	return err
}
