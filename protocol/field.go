package protocol

// shape is what a field's value looks like.
type shape uint8

const (
	shapeText    shape = iota // a string, unescaped into the request
	shapeID                   // a string or an integer, raw
	shapeInteger              // an integer
	shapeFlag                 // true or false
	shapeJSON                 // any value, raw
	shapeTime                 // a string or a number, raw
	shapeBase64               // a string in base64, decoded into the request
)

// fields describes the fields of a request, by the number of their bit in Fields.
var fields = [...]struct {
	name  string
	shape shape
	max   int    // bytes; 0: no bound but the frame's
	want  string // what a wrong value should have been
}{
	{"type", shapeText, 0, "a string"},
	{"id", shapeID, MaxIDLen, "a string of at most 64 bytes or an integer from 0 to 2^53-1"},
	{"room", shapeText, 0, "a string"},
	{"data", shapeJSON, 0, ""},
	{"event", shapeText, MaxEventLen, "a string of at most 64 bytes"},
	{"key", shapeText, MaxEventLen, "a string of at most 64 bytes"},
	{"producer", shapeText, MaxEventLen, "a string of at most 64 bytes"},
	{"seq", shapeInteger, 0, "an integer from 0 to 2^53-1"},
	{"echo", shapeFlag, 0, "true or false"},
	{"ephemeral", shapeFlag, 0, "true or false"},
	{"since", shapeText, 0, "a string"},
	{"before", shapeText, 0, "a string"},
	{"last", shapeInteger, 0, "an integer from 0 to 2^53-1"},
	{"limit", shapeInteger, 0, "an integer from 0 to 2^53-1"},
	{"next", shapeText, 0, "a string"},
	{"presence", shapeFlag, 0, "true or false"},
	{"state", shapeJSON, 0, ""},
	{"token", shapeText, 0, "a string"},
	{"name", shapeText, 0, "a string"},
	{"ts", shapeTime, MaxIDLen, "a number or a string, of at most 64 bytes"},
	{"bytes", shapeBase64, 0, "a string in base64"},
}

// fieldsOf lists the fields of each kind. Any other is unknown to that kind and ignored whatever its value; it is set
// in the request when its shape is right. A type of the application has its own fields besides those here.
var fieldsOf = [...]Fields{
	KindOther:    HasType | HasID | HasRoom,
	KindAuth:     HasType | HasID | HasToken | HasName,
	KindJoin:     HasType | HasID | HasRoom | HasSince | HasLast | HasPresence | HasState,
	KindLeave:    HasType | HasID | HasRoom,
	KindPublish:  HasType | HasID | HasRoom | HasData | HasEvent | HasKey | HasProducer | HasSeq | HasEcho | HasEphemeral | HasBytes,
	KindPresence: HasType | HasID | HasRoom | HasLimit | HasNext,
	KindState:    HasType | HasID | HasRoom | HasState,
	KindHistory:  HasType | HasID | HasRoom | HasLimit | HasSince | HasBefore,
	KindPing:     HasType | HasID | HasTS,
	KindPong:     HasType | HasID,
}

// conflicts lists the fields that exclude each other.
var conflicts = [...]struct {
	kind    Kind
	both    Fields
	field   string
	message string
}{
	{KindJoin, HasSince | HasLast, "last", "last beside since"},
	{KindHistory, HasSince | HasBefore, "before", "before beside since"},
	{KindPublish, HasData | HasBytes, "bytes", "bytes beside data"},
}

// kindOf returns the kind of a type.
func kindOf(name []byte) Kind {
	switch string(name) {
	case TypeAuth:
		return KindAuth
	case TypeJoin:
		return KindJoin
	case TypeLeave:
		return KindLeave
	case TypePublish:
		return KindPublish
	case TypePresence:
		return KindPresence
	case TypeState:
		return KindState
	case TypeHistory:
		return KindHistory
	case TypePing:
		return KindPing
	case TypePong:
		return KindPong
	}
	return KindOther
}

// fieldOf returns the field of a key, or 0 for an unknown key. Keys are case-sensitive.
func fieldOf(key []byte) Fields {
	switch string(key) {
	case "type":
		return HasType
	case "id":
		return HasID
	case "room":
		return HasRoom
	case "data":
		return HasData
	case "event":
		return HasEvent
	case "key":
		return HasKey
	case "producer":
		return HasProducer
	case "seq":
		return HasSeq
	case "echo":
		return HasEcho
	case "ephemeral":
		return HasEphemeral
	case "since":
		return HasSince
	case "before":
		return HasBefore
	case "last":
		return HasLast
	case "limit":
		return HasLimit
	case "next":
		return HasNext
	case "presence":
		return HasPresence
	case "state":
		return HasState
	case "token":
		return HasToken
	case "name":
		return HasName
	case "ts":
		return HasTS
	case "bytes":
		return HasBytes
	}
	return 0
}
