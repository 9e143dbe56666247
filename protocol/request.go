package protocol

// Kind tells the protocol's own request types apart without a string comparison.
type Kind uint8

// The kinds. KindOther is a type of the application.
const (
	KindOther Kind = iota
	KindAuth
	KindJoin
	KindLeave
	KindPublish
	KindPresence
	KindState
	KindHistory
	KindPing
	KindPong
)

// Request is one envelope from a client. Its slices are borrowed from the frame that it was parsed from (or from the
// parser's own memory where a string had escapes): they are valid until the next call of the same Parser's methods or
// until the frame's buffer is reused. Whoever keeps one copies it.
type Request struct {
	Kind Kind
	Has  Fields // which fields were present
	Type []byte // the type, unescaped

	ID    []byte // raw JSON: a string with its quotes, or an integer; empty when absent
	Room  []byte
	Data  []byte // raw JSON
	Event []byte
	Key   []byte

	Producer  []byte
	Seq       uint64
	NoEcho    bool // echo:false
	Ephemeral bool

	Since    []byte // the text of a position
	Before   []byte // the text of a position
	Last     int
	Limit    int
	Next     []byte
	Presence bool
	State    []byte // raw JSON

	Token []byte
	Name  []byte
	TS    []byte // raw JSON of ping's ts

	Bytes []byte // the payload of a binary frame, or of bytes in a text frame; not nil, though perhaps empty, when there is one
	Raw   []byte // the whole envelope, for an application's own types

	// Args are the arguments of an application's own type, from clients whose events have some: JSON values with commas
	// between them; nil from others. Attachments are the binary data in them, as those of Custom.
	Args        []byte
	Attachments [][]byte
}

// Fields is a set of the fields of an envelope.
type Fields uint32

// The fields.
const (
	HasType Fields = 1 << iota
	HasID
	HasRoom
	HasData
	HasEvent
	HasKey
	HasProducer
	HasSeq
	HasEcho
	HasEphemeral
	HasSince
	HasBefore
	HasLast
	HasLimit
	HasNext
	HasPresence
	HasState
	HasToken
	HasName
	HasTS
	HasBytes
)

// Has reports whether all fields of want were present.
func (f Fields) Has(want Fields) bool { return f&want == want }
