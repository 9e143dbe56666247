package protocol

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The oracle reads frames with encoding/json, and with code that shares nothing with the parser's.

// oracleEnvelope is an object as encoding/json sees it, with its members in order.
type oracleEnvelope struct {
	keys   []string // as UTF-16 units, one rune each
	values []json.RawMessage
}

// oracleValid reports whether text is JSON as RFC 8259 has it, UTF-8 and at most deepest levels deep.
func oracleValid(text []byte, deepest int) bool {
	return json.Valid(text) && utf8.Valid(text) && oracleDepth(text) <= deepest
}

// oracleDepth returns how deep valid JSON is nested.
func oracleDepth(text []byte) (deepest int) {
	d := json.NewDecoder(bytes.NewReader(text))
	depth := 0
	for {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			deepest = max(deepest, depth)
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

// oracleObject takes a valid object apart. encoding/json hides lone surrogates, so the keys are taken from the text.
func oracleObject(text []byte) (e oracleEnvelope) {
	d := json.NewDecoder(bytes.NewReader(text))
	_, _ = d.Token()
	for d.More() {
		start := d.InputOffset()
		_, _ = d.Token()
		quoted := text[start:d.InputOffset()]
		quoted = quoted[bytes.IndexByte(quoted, '"'):]
		var value json.RawMessage
		_ = d.Decode(&value)
		e.keys = append(e.keys, string(oracleUnits(quoted)))
		e.values = append(e.values, value)
	}
	return e
}

// oracleUnits returns the UTF-16 units that the valid JSON string quoted stands for, a lone surrogate shifted to where
// a rune can hold it.
func oracleUnits(quoted []byte) (units []rune) {
	add := func(u uint16) { units = append(units, 0x10000+rune(u)) }
	for i := 1; i < len(quoted)-1; {
		switch {
		case quoted[i] != '\\':
			r, n := utf8.DecodeRune(quoted[i:])
			for _, u := range utf16.Encode([]rune{r}) {
				add(u)
			}
			i += n
		case quoted[i+1] == 'u':
			u, _ := strconv.ParseUint(string(quoted[i+2:i+6]), 16, 16)
			add(uint16(u))
			i += 6
		default:
			var s string
			_ = json.Unmarshal([]byte(`"`+string(quoted[i:i+2])+`"`), &s)
			add(uint16(s[0]))
			i += 2
		}
	}
	return units
}

// oracleText returns the string that a value stands for, if it is one and every surrogate in it has its partner.
func oracleText(value json.RawMessage) (s string, ok bool) {
	if len(value) == 0 || value[0] != '"' {
		return "", false
	}
	units := oracleUnits(value)
	for i := 0; i < len(units); i++ {
		r := units[i] - 0x10000
		if !utf16.IsSurrogate(r) {
			continue
		}
		if i+1 == len(units) || utf16.DecodeRune(r, units[i+1]-0x10000) == utf8.RuneError {
			return "", false
		}
		i++
	}
	return s, json.Unmarshal(value, &s) == nil
}

// oracleInteger returns the value of an integer from 0 to 2^53-1 in its plain form.
func oracleInteger(value json.RawMessage) (uint64, bool) {
	n, ok := new(big.Int).SetString(string(value), 10)
	if !ok || value[0] == '-' || n.Cmp(big.NewInt(1<<53-1)) > 0 {
		return 0, false
	}
	return n.Uint64(), true
}

// get returns the value of a key, nil when it is absent.
func (e oracleEnvelope) get(key string) json.RawMessage {
	if i := slices.Index(e.keys, string(oracleUnits([]byte(strconv.Quote(key))))); i >= 0 {
		return e.values[i]
	}
	return nil
}

// twice reports whether any key of e comes twice.
func (e oracleEnvelope) twice() bool {
	keys := slices.Sorted(slices.Values(e.keys))
	return len(slices.Compact(keys)) != len(e.keys)
}

// read returns the request that e is, or false if it is to be refused.
func (e oracleEnvelope) read() (Request, bool) {
	var r Request
	var wrong Fields
	note := func(f Fields, ok bool) bool {
		if ok {
			r.Has |= f
		} else {
			wrong |= f
		}
		return ok
	}
	for i := range fields {
		f := Fields(1) << i
		value := e.get(fields[i].name)
		if value == nil {
			continue
		}
		text, isText := oracleText(value)
		number, isInteger := oracleInteger(value)
		switch f {
		case HasData, HasState:
			note(f, true)
			*r.text(f) = value
		case HasID:
			if note(f, isInteger || isText && len(text) <= 64) {
				r.ID = value
			}
		case HasTS:
			isNumber := strings.ContainsRune("-0123456789", rune(value[0])) && len(value) <= 64
			if note(f, isNumber || isText && len(text) <= 64) {
				r.TS = value
			}
		case HasSeq, HasLast, HasLimit:
			if note(f, isInteger) {
				r.setInteger(f, []byte(strconv.FormatUint(number, 10)))
			}
		case HasEcho, HasEphemeral, HasPresence:
			if note(f, string(value) == "true" || string(value) == "false") {
				r.setFlag(f, value)
			}
		case HasBytes:
			decoded, err := base64.StdEncoding.DecodeString(text)
			if note(f, isText && err == nil && base64.StdEncoding.EncodeToString(decoded) == text) {
				r.Bytes = append([]byte{}, decoded...)
			}
		default:
			short := len(text) <= 64 || f != HasEvent && f != HasKey && f != HasProducer
			if note(f, isText && short) {
				*r.text(f) = []byte(text)
			}
		}
	}
	r.Kind = kindOf(r.Type)
	bad := e.twice() || !r.Has.Has(HasType) || wrong&fieldsOf[r.Kind] != 0
	bad = bad || r.Kind == KindJoin && r.Has.Has(HasSince|HasLast)
	bad = bad || r.Kind == KindHistory && r.Has.Has(HasSince|HasBefore)
	bad = bad || r.Kind == KindPublish && r.Has.Has(HasData|HasBytes)
	return r, !bad
}
