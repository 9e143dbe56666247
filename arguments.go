package wireroom

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/wireroom/wireroom/internal/dialect/socketio"
)

// arguments are what an event carries: JSON, in which a binary value stands as {"_placeholder":true,"num":n}, for
// attachments[n].
type arguments struct {
	args        []json.RawMessage
	attachments [][]byte
}

// argumentsOf returns values as arguments: []byte and Bytes as binary values, anything else as JSON.
func argumentsOf(values []any) (arguments, error) {
	a := arguments{args: make([]json.RawMessage, 0, len(values))}
	for _, v := range values {
		switch v := v.(type) {
		case []byte:
			a.attach(v)
			continue
		case Bytes:
			a.attach(v)
			continue
		}
		text, err := json.Marshal(v)
		if err != nil {
			return arguments{}, err
		}
		a.args = append(a.args, text)
	}
	return a, nil
}

// attach adds a binary value.
func (a *arguments) attach(data []byte) {
	a.args = append(a.args, json.RawMessage(`{"_placeholder":true,"num":`+strconv.Itoa(len(a.attachments))+`}`))
	a.attachments = append(a.attachments, bytes.Clone(data))
}

// check returns an error for arguments that no client could read.
func (a *arguments) check() error {
	for i, arg := range a.args {
		if !json.Valid(arg) {
			return fmt.Errorf("argument %d is not JSON", i)
		}
	}
	if !socketio.CheckArgs(a.args, len(a.attachments)) {
		return errors.New("the placeholders do not belong to the attachments")
	}
	return nil
}

// data returns the arguments for clients whose envelopes have data instead: nothing for none, one as it is, several as an
// array; binary values as strings in base64.
func (a *arguments) data() json.RawMessage {
	args := a.args
	if len(a.attachments) > 0 {
		args = make([]json.RawMessage, len(a.args))
		for i, arg := range a.args {
			args[i] = a.inline(arg)
		}
	}
	switch len(args) {
	case 0:
		return nil
	case 1:
		return args[0]
	}
	return append(append([]byte{'['}, bytes.Join(asBytes(args), []byte{','})...), ']')
}

func asBytes(args []json.RawMessage) [][]byte {
	all := make([][]byte, len(args))
	for i, arg := range args {
		all[i] = arg
	}
	return all
}

// inline returns an argument with its binary values as strings.
func (a *arguments) inline(arg json.RawMessage) json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader(arg))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return arg // it was checked
	}
	text, err := json.Marshal(a.inlined(v))
	if err != nil {
		return arg // it came from JSON
	}
	return text
}

func (a *arguments) inlined(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = a.inlined(v[i])
		}
	case map[string]any:
		if n, ok := v["num"].(json.Number); ok && v["_placeholder"] == true {
			if i, err := strconv.Atoi(n.String()); err == nil && 0 <= i && i < len(a.attachments) {
				return base64.StdEncoding.EncodeToString(a.attachments[i])
			}
		}
		for key := range v {
			v[key] = a.inlined(v[key])
		}
	}
	return v
}
