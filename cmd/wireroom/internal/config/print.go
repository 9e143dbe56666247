package config

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// width is how long a line of help may be.
const width = 110

// preface stands at the top of the template.
const preface = "Configuration of Wireroom. Every setting stands here at its default; what you do not change you can " +
	"take out. An environment variable goes over this file, and a flag over both."

// WriteTemplate writes a YAML file with every setting at its default, each with what it does, and rules as an example in
// a comment. Read back it changes nothing.
func WriteTemplate(w io.Writer) error {
	c := Default()
	all := fields(reflect.ValueOf(&c).Elem(), "")
	rules, _ := named(all, "rules")
	all = slices.DeleteFunc(all, func(f field) bool { return f.key == rules.key })
	top := &yaml.Node{Kind: yaml.MappingNode}
	printer{key: helpOf}.fields(top, all)
	settings, err := encode(top)
	if err != nil {
		return err
	}
	example, err := exampleRules()
	if err != nil {
		return err
	}
	text := comment(preface) + "\n\n" + spaced(settings) + "\n" + comment(helpOf(rules)) + "\n" + example
	return write(w, text)
}

// Write writes the configuration as a YAML file, each setting with where it comes from. Secrets are hidden.
func (l *Loaded) Write(w io.Writer) error {
	top := &yaml.Node{Kind: yaml.MappingNode}
	source := func(f field) string { return l.Source(f.key) }
	printer{value: source}.fields(top, fields(reflect.ValueOf(&l.Config).Elem(), ""))
	text, err := encode(top)
	if err != nil {
		return err
	}
	return write(w, text)
}

func write(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}

// encode returns a YAML tree as text.
func encode(top *yaml.Node) (string, error) {
	var b strings.Builder
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(top); err != nil {
		return "", fmt.Errorf("write the configuration: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return "", fmt.Errorf("write the configuration: %w", err)
	}
	return b.String(), nil
}

// spaced returns YAML with an empty line above each comment, save the first one of a mapping.
func spaced(text string) string {
	var b strings.Builder
	before := ":"
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		begins := strings.HasPrefix(strings.TrimSpace(line), "#") && !strings.HasPrefix(strings.TrimSpace(before), "#")
		if begins && !strings.HasSuffix(before, ":") {
			b.WriteByte('\n')
		}
		b.WriteString(line + "\n")
		before = line
	}
	return b.String()
}

// printer makes YAML nodes of settings.
type printer struct {
	key   func(field) string // what to say above a key; nil for nothing
	value func(field) string // what to say behind a value; nil for nothing
}

// fields appends fields to a mapping.
func (p printer) fields(to *yaml.Node, all []field) {
	for _, f := range all {
		key := &yaml.Node{Kind: yaml.ScalarNode, Value: f.name}
		if p.key != nil {
			key.HeadComment = comment(p.key(f))
		}
		value := p.node(f)
		if p.value != nil && !f.isGroup() {
			comment := value
			if value.Kind == yaml.SequenceNode && value.Style != yaml.FlowStyle {
				comment = key // nothing can stand behind a value of several lines
			}
			comment.LineComment = p.value(f)
		}
		to.Content = append(to.Content, key, value)
	}
}

// node returns the value of a field.
func (p printer) node(f field) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	switch {
	case f.isGroup():
		n.Kind = yaml.MappingNode
		p.fields(n, fields(f.value, f.key))
	case f.isSeries():
		if f.value.Len() == 0 {
			n.Style = yaml.FlowStyle
		}
		for i := range f.value.Len() {
			item := &yaml.Node{Kind: yaml.MappingNode}
			printer{}.fields(item, fields(f.value.Index(i), ""))
			n.Content = append(n.Content, item)
		}
	case f.isList():
		n.Style = yaml.FlowStyle
		for _, text := range f.texts() {
			n.Content = append(n.Content, scalar(f, text))
		}
	default:
		n = scalar(f, f.texts()[0])
	}
	return n
}

// scalar returns one text; the encoder puts it in quotes where YAML would take it for something else.
func scalar(f field, text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: text}
	switch f.value.Interface().(type) {
	case string, []string, Secret, URL:
		n.Tag = "!!str"
	}
	return n
}

// helpOf returns what a user needs to know of a setting, or of a group of them.
func helpOf(f field) string {
	s := f.setting()
	text := s.Help
	var names []string
	for _, name := range []string{s.Env, s.Flag} {
		if name != "" && !f.isGroup() {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		text += "\n" + strings.Join(names, ", ")
	}
	return text
}

// comment returns text as lines of a comment that are not too long.
func comment(text string) string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := "#"
		for word := range strings.FieldsSeq(paragraph) {
			if len(line)+1+len(word) > width {
				lines = append(lines, line)
				line = "#"
			}
			line += " " + word
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// exampleRules returns a rule with every setting at its default, as a comment.
func exampleRules() (string, error) {
	r := DefaultRule()
	r.Pattern = "chat/**"
	item := &yaml.Node{Kind: yaml.MappingNode}
	help := func(f field) string { return f.tag.Get("help") } // only the file can have rules
	printer{key: help}.fields(item, fields(reflect.ValueOf(&r).Elem(), ""))
	item.HeadComment, item.Content[0].HeadComment = item.Content[0].HeadComment, "" // above the dash, not behind it
	text, err := encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
		{Kind: yaml.ScalarNode, Value: "rules"},
		{Kind: yaml.SequenceNode, Content: []*yaml.Node{item}},
	}})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("#" + line)
	}
	return b.String(), nil
}
