package protocol

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestEachTypeChecksItsOwnFields(t *testing.T) {
	for kind, own := range map[string]string{
		"order":    "room",
		"auth":     "token name",
		"join":     "room since last presence",
		"leave":    "room",
		"publish":  "room event key producer seq echo ephemeral bytes",
		"presence": "room limit next",
		"state":    "room",
		"history":  "room limit since before",
		"ping":     "ts",
		"pong":     "",
	} {
		for _, f := range fields {
			if f.shape == shapeJSON || f.name == "type" {
				continue
			}
			_, err := readOne(t, `{"type":"`+kind+`","`+f.name+`":{}}`)
			checked := f.name == "id" || slices.Contains(strings.Fields(own), f.name)
			if checked != (err != nil) || checked && err.Field != f.name {
				t.Errorf("%s with a wrong %s: %v", kind, f.name, err)
			}
		}
	}
}

func TestFieldsHaveTheirNamesAndBounds(t *testing.T) {
	for i, f := range fields {
		if fieldOf([]byte(f.name)) != 1<<i {
			t.Errorf("%s is not the field with the number %d", f.name, i)
		}
		if f.max > 0 && !strings.Contains(f.want, "at most "+strconv.Itoa(f.max)+" bytes") {
			t.Errorf("%s: %d bytes, but it must be %s", f.name, f.max, f.want)
		}
	}
	if HasBytes != 1<<(len(fields)-1) {
		t.Error("fields without a description")
	}
}
