// Package schema checks what is published against a JSON Schema (drafts 4 to 2020-12).
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/wireroom/wireroom/protocol"
)

const (
	location   = "wireroom:///schema.json" // what a schema is called inside; there is no such place to load from
	maxSize    = 1 << 20                   // bytes of a schema
	maxPower   = 400                       // of a number's exponent: a float64 has no larger one, and what has takes long to compare
	maxMessage = 200                       // bytes of what a client is told
)

// nothing loads no schema: all of it stands in one text.
type nothing struct{}

// Load implements jsonschema.URLLoader.
func (nothing) Load(url string) (any, error) {
	return nil, fmt.Errorf("%q is not in the schema, and nothing is loaded", url)
}

// Compile reads a schema and returns a function that checks data against it, for rule.Content. A $ref leads to a part of
// the same text only; nothing is loaded. Formats are checked.
func Compile(text []byte) (func(data json.RawMessage) error, error) {
	if len(text) > maxSize {
		return nil, fmt.Errorf("a schema of more than %d bytes", maxSize)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("no JSON: %w", err)
	}
	if err := checkNumbers(document, ""); err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(nothing{})
	compiler.AssertFormat()
	if err := compiler.AddResource(location, document); err != nil {
		return nil, err
	}
	compiled, err := compiler.Compile(location)
	if err != nil {
		return nil, fmt.Errorf("no schema: %w", err)
	}
	printer := message.NewPrinter(language.English)
	return func(data json.RawMessage) error { return check(compiled, printer, data) }, nil
}

// check returns an invalid_data that names the first part of data that the schema does not take.
func check(compiled *jsonschema.Schema, printer *message.Printer, data json.RawMessage) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return invalid("", "it cannot be read")
	}
	if err := checkNumbers(value, ""); err != nil {
		return err
	}
	var wrong *jsonschema.ValidationError
	switch err := compiled.Validate(value); {
	case err == nil:
		return nil
	case !errors.As(err, &wrong):
		return fmt.Errorf("validate: %w", err)
	}
	for len(wrong.Causes) > 0 {
		wrong = wrong.Causes[0]
	}
	return invalid(pointer(wrong.InstanceLocation), wrong.ErrorKind.LocalizedString(printer))
}

// pointer returns a JSON pointer (RFC 6901, section 3).
func pointer(steps []string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	for _, step := range steps {
		b.WriteByte('/')
		b.WriteString(escape.Replace(step))
	}
	return b.String()
}

func invalid(pointer, why string) *protocol.Error {
	if len(why) > maxMessage {
		why = strings.ToValidUTF8(why[:maxMessage], "") + "..."
	}
	return &protocol.Error{Code: protocol.CodeInvalidData, Field: "data" + pointer, Message: why}
}

// checkNumbers reports a number whose exponent is beyond all reason: to compare it exactly would take as many digits.
func checkNumbers(value any, at string) error {
	switch value := value.(type) {
	case json.Number:
		_, power, found := strings.Cut(strings.ToLower(value.String()), "e")
		if n, err := strconv.Atoi(power); found && (err != nil || n > maxPower || n < -maxPower) {
			return invalid(at, "a number that is too large or too small")
		}
	case []any:
		for i, item := range value {
			if err := checkNumbers(item, at+"/"+strconv.Itoa(i)); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, item := range value {
			if err := checkNumbers(item, at+pointer([]string{name})); err != nil {
				return err
			}
		}
	}
	return nil
}
