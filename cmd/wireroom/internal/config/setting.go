package config

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// EnvPrefix is in front of the name of every environment variable of the program.
const EnvPrefix = "WIREROOM_"

// Setting is one setting, by its names.
type Setting struct {
	Key  string // in the file, with dots between its levels
	Env  string // the environment variable; empty for none
	Flag string // of the command line, with its dashes; empty for none
	Help string
	// Default is what holds when it is not set, as a user would write it.
	Default string
}

// Settings returns all settings, in the order in which Config has them.
func Settings() []Setting {
	var c Config
	var all []Setting
	for _, f := range leaves(&c) {
		all = append(all, f.setting())
	}
	return all
}

// field is a field of a struct of settings: a setting, or several of them.
type field struct {
	name  string // its key, among those of the struct
	key   string // from the top
	tag   reflect.StructTag
	value reflect.Value // settable
}

// setting returns the names of f.
func (f field) setting() Setting {
	s := Setting{Key: f.key, Help: f.tag.Get("help"), Default: f.tag.Get("default")}
	if f.tag.Get("env") != "-" {
		s.Env = EnvPrefix + strings.ToUpper(strings.ReplaceAll(f.key, ".", "_"))
	}
	if f.tag.Get("kong") != "-" {
		s.Flag = "--" + strings.NewReplacer(".", "-", "_", "-").Replace(f.key)
	}
	return s
}

// fields returns the fields of a struct whose key is prefix.
func fields(of reflect.Value, prefix string) []field {
	all := make([]field, of.NumField())
	for i := range all {
		described := of.Type().Field(i)
		name := snake(described.Name)
		all[i] = field{name: name, key: join(prefix, name), tag: described.Tag, value: of.Field(i)}
	}
	return all
}

// isGroup reports whether f is a struct of settings.
func (f field) isGroup() bool { return f.value.Kind() == reflect.Struct }

// isSeries reports whether f is a list of structs of settings.
func (f field) isSeries() bool {
	return f.value.Kind() == reflect.Slice && f.value.Type().Elem().Kind() == reflect.Struct
}

// leaves returns the settings in the struct that target points to, and in its structs; of a series, the series itself.
func leaves(target any) []field { return leavesOf(reflect.ValueOf(target).Elem(), "") }

func leavesOf(of reflect.Value, prefix string) []field {
	var all []field
	for _, f := range fields(of, prefix) {
		if f.isGroup() {
			all = append(all, leavesOf(f.value, f.key)...)
			continue
		}
		all = append(all, f)
	}
	return all
}

// setDefaults gives every setting in the struct that target points to the default in its tag.
func setDefaults(target any) {
	for _, f := range leaves(target) {
		text, ok := f.tag.Lookup("default")
		if !ok {
			continue
		}
		if err := f.set(text); err != nil {
			panic(fmt.Sprintf("config: default of %s: %v", f.key, err))
		}
	}
}

// Differences returns the keys of the settings in which two configurations differ.
func Differences(a, b *Config) []string {
	var keys []string
	others := leaves(b)
	for i, f := range leaves(a) {
		if !reflect.DeepEqual(f.value.Interface(), others[i].value.Interface()) {
			keys = append(keys, f.key)
		}
	}
	return keys
}

// snake returns the key of a field: lower case, with an underscore where a word begins.
func snake(name string) string {
	var b strings.Builder
	lower := false
	for _, r := range name {
		if unicode.IsUpper(r) && lower {
			b.WriteByte('_')
		}
		lower = unicode.IsLower(r)
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// join returns a key below another one.
func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}
