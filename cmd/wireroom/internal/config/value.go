package config

import (
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. Its text is a number and a unit: 64KiB, 4MiB, 1GiB (powers of 1024), 64KB, 4MB, 1GB
// (powers of 1000), or B or nothing for bytes.
type Size int64

// unit is a unit of a Size.
type unit struct {
	name  string
	bytes Size
}

// units are in the order in which String tries them.
var units = [...]unit{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

// String returns the shortest text that is exactly s.
func (s Size) String() string {
	if s == 0 {
		return "0"
	}
	for _, u := range units {
		if s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return ""
}

// MarshalText implements encoding.TextMarshaler.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. The case of a unit does not matter, nor does space before it.
func (s *Size) UnmarshalText(text []byte) error {
	number := string(text)
	factor := Size(1)
	for _, u := range units {
		if cut := len(number) - len(u.name); cut >= 0 && strings.EqualFold(number[cut:], u.name) {
			number, factor = strings.TrimRight(number[:cut], " "), u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || Size(n) > math.MaxInt64/factor {
		return fmt.Errorf("%q is no size: write a whole number with a unit, such as 64KiB or 4MiB", text)
	}
	*s = Size(n) * factor
	return nil
}

// Secret is text that is not shown: every way to print it by accident says "(hidden)". Its text is string(s).
type Secret string

// hidden is what is shown of a Secret.
const hidden = "(hidden)"

// String returns "(hidden)", or "" for no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString returns what String does.
func (s Secret) GoString() string { return s.String() }

// MarshalText returns what String does.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns what String does.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// URL is a URL that may have a password, which is not shown: its text is string(u).
type URL string

// String returns the URL with "(hidden)" in the place of its password.
func (u URL) String() string {
	parsed, err := url.Parse(string(u))
	switch {
	case u == "":
		return ""
	case err != nil:
		return hidden
	}
	if _, has := parsed.User.Password(); !has {
		return string(u)
	}
	user := parsed.User.Username()
	parsed.User = nil
	return strings.Replace(parsed.String(), "://", "://"+url.PathEscape(user)+":"+hidden+"@", 1)
}

// GoString returns what String does.
func (u URL) GoString() string { return u.String() }

// MarshalText returns what String does.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// LogValue returns what String does.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// set parses text into the field of a setting, which is none of a struct and no slice of structs.
func (f field) set(text string) error {
	switch target := f.value.Addr().Interface().(type) {
	case *string:
		*target = text
		return f.choose(text)
	case *Secret:
		*target = Secret(text)
		return nil
	case *URL:
		*target = URL(text)
		return nil
	case *Size:
		return target.UnmarshalText([]byte(text))
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is no duration: write 30s, 5m or 24h", text)
		}
		*target = d
		return nil
	case *bool:
		return setBool(target, text)
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
		*target = n
		return nil
	case *float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return fmt.Errorf("%q is no number", text)
		}
		*target = n
		return nil
	case *[]string:
		*target = list(text)
		return nil
	}
	panic(fmt.Sprintf("config: no setting can be a %v", f.value.Type()))
}

// setBool parses the words for yes and no.
func setBool(target *bool, text string) error {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		*target = true
	case "false", "no", "off", "0":
		*target = false
	default:
		return fmt.Errorf("%q is neither true nor false", text)
	}
	return nil
}

// list splits text at commas.
func list(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// choose reports a text that is none of those that a setting may have, where there is a list of them.
func (f field) choose(text string) error {
	choices := f.tag.Get("enum")
	if choices == "" || slices.Contains(strings.Split(choices, ","), text) {
		return nil
	}
	return fmt.Errorf("%q is none of %s", text, strings.ReplaceAll(choices, ",", ", "))
}

// texts returns a setting as a user would write it: one text for a list's item, one for anything else.
func (f field) texts() []string {
	switch value := f.value.Interface().(type) {
	case []string:
		return value
	case time.Duration:
		return []string{duration(value)}
	case fmt.Stringer:
		return []string{value.String()}
	}
	return []string{fmt.Sprint(f.value.Interface())}
}

// duration returns d without units that are zero: 24h, not 24h0m0s.
func duration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// isList reports whether a setting is a list of texts.
func (f field) isList() bool { return f.value.Type() == reflect.TypeFor[[]string]() }
