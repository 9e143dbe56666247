package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is a YAML file that is read into fields. It knows nothing of which fields there are: it follows theirs.
type document struct {
	name     string         // of the file
	lines    map[string]int // where each setting stands, by its key
	problems Problems
}

// yamlLine is in front of the errors of the YAML parser.
var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// read parses the content of a file into the struct that target points to. What is wrong goes to d.problems; what is
// right is set all the same.
func (d *document) read(content []byte, target any) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var top yaml.Node
	if err := decoder.Decode(&top); err != nil {
		if !errors.Is(err, io.EOF) { // nothing in the file: nothing is set
			d.broken(err)
		}
		return
	}
	var more yaml.Node
	switch err := decoder.Decode(&more); {
	case err == nil:
		d.problem("", more.Line, "a second document begins here; one file is one document")
	case !errors.Is(err, io.EOF):
		d.broken(err)
	}
	d.mapping(top.Content[0], fields(reflect.ValueOf(target).Elem(), ""), "")
}

// broken notes an error of the YAML parser.
func (d *document) broken(err error) {
	text := err.Error()
	where := "at " + d.name
	if match := yamlLine.FindStringSubmatch(text); match != nil {
		where += ":" + match[1]
		text = text[len(match[0]):]
	}
	d.problems = append(d.problems, Problem{Where: where, Text: "no YAML: " + strings.TrimPrefix(text, "yaml: ")})
}

// at says where a line is.
func (d *document) at(line int) string { return fmt.Sprintf("at %s:%d", d.name, line) }

// problem notes something that is wrong with a setting.
func (d *document) problem(key string, line int, text string) {
	d.problems = append(d.problems, Problem{Key: key, Where: d.at(line), Text: text})
}

// mapping reads a mapping, whose keys are the names of the fields. within is the key that it stands under.
func (d *document) mapping(n *yaml.Node, of []field, within string) {
	n = followed(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.problem(within, n.Line, "these are settings: write each as a line `key: value`")
		return
	}
	before := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if line, twice := before[key.Value]; twice {
			d.problem(join(within, key.Value), key.Line, fmt.Sprintf("set already on line %d", line))
			continue
		}
		before[key.Value] = key.Line
		f, ok := named(of, key.Value)
		if !ok {
			d.problems = append(d.problems, unknown(key.Value, d.at(key.Line), within, names(of)))
			continue
		}
		d.field(f, value, key.Line)
	}
}

// field reads one field, whose key stands on the given line.
func (d *document) field(f field, n *yaml.Node, line int) {
	n = followed(n)
	if isNull(n) {
		return // `key:` with nothing behind it leaves the setting out
	}
	switch {
	case f.isGroup():
		d.mapping(n, fields(f.value, f.key), f.key)
		return
	case f.isSeries():
		d.series(f, n)
	case f.isList():
		d.list(f, n)
	case n.Kind != yaml.ScalarNode:
		d.problem(f.key, n.Line, "there can be only one value")
		return
	default:
		if err := f.set(n.Value); err != nil {
			d.problem(f.key, n.Line, err.Error())
			return
		}
	}
	d.lines[f.key] = line
}

// list reads a list of texts.
func (d *document) list(f field, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		d.problem(f.key, n.Line, "this is a list: write [a, b], or each on a line `- a`")
		return
	}
	var items []string // an empty list is none at all
	for _, item := range n.Content {
		if item = followed(item); item.Kind != yaml.ScalarNode || isNull(item) {
			d.problem(f.key, item.Line, "each item of the list is one text")
			continue
		}
		items = append(items, item.Value)
	}
	f.value.Set(reflect.ValueOf(items))
}

// series reads a list of structs of settings, each of which begins with the defaults.
func (d *document) series(f field, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		d.problem(f.key, n.Line, "this is a list: begin each item with a dash, as `- pattern: ...`")
		return
	}
	if len(n.Content) == 0 { // an empty list is none at all
		f.value.SetZero()
		return
	}
	items := reflect.MakeSlice(f.value.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		target := items.Index(i).Addr().Interface()
		setDefaults(target)
		key := fmt.Sprintf("%s[%d]", f.key, i+1)
		d.lines[key] = item.Line
		d.mapping(item, fields(items.Index(i), key), key)
	}
	f.value.Set(items)
}

// followed returns the node that an alias stands for, or n.
func followed(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// isNull reports whether nothing was written.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// named returns the field of that name.
func named(all []field, name string) (field, bool) {
	for _, f := range all {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// names returns the names of fields.
func names(all []field) []string {
	texts := make([]string, len(all))
	for i, f := range all {
		texts[i] = f.name
	}
	return texts
}
