package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Sections are the settings that are lists, and are in the file only.
type section struct {
	items []*yaml.Node
	line  int
}

// takeSection takes a list.
func (f *File) takeSection(key, v *yaml.Node) error {
	if old, twice := f.sections[key.Value]; twice {
		return fmt.Errorf("%s is set twice, in line %d before; make one list of both", key.Value, old.line)
	}
	switch {
	case v.Kind == yaml.ScalarNode && v.Tag == "!!null":
		return nil
	case v.Kind != yaml.SequenceNode:
		return fmt.Errorf("%s: want a list, each entry beginning with \"- \"", key.Value)
	}
	f.sections[key.Value] = section{v.Content, key.Line}
	return nil
}

// Items decodes a section, each entry into a T by the names in its yaml tags, and checks it. What T does not know is
// an error. Errors name the file and the line of the entry, or of the value in it.
func Items[T any](f *File, name string, check func(*T) error) ([]T, error) {
	if f == nil {
		return nil, nil
	}
	var all []T
	for _, node := range f.sections[name].items {
		var item T
		at, err := decodeItem(node, &item)
		if err == nil && check != nil {
			err = check(&item)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%s: %s: %w", f.Name, at, name, err)
		}
		all = append(all, item)
	}
	return all, nil
}

// decodeItem decodes one entry and returns the line of it, or of what is wrong in it.
func decodeItem(node *yaml.Node, into any) (line string, err error) {
	line = fmt.Sprint(node.Line)
	if node.Kind != yaml.MappingNode {
		return line, fmt.Errorf("want lines of the form \"name: value\" in every entry")
	}
	known := keys(reflect.TypeOf(into).Elem())
	for i := 0; i+1 < len(node.Content); i += 2 {
		if key := node.Content[i]; !slices.Contains(known, key.Value) {
			return fmt.Sprint(key.Line), fmt.Errorf("there is no setting %.60q in it%s", key.Value, guess(key.Value, known))
		}
	}
	if err := node.Decode(into); err != nil {
		text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: unmarshal errors:\n"), "yaml: ")
		at, why := yamlError(fmt.Errorf("%s", strings.TrimSpace(text)))
		if at == "1" {
			at = line
		}
		return at, fmt.Errorf("%s", why)
	}
	return line, nil
}

// keys are the names that the fields of a struct have in YAML.
func keys(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
