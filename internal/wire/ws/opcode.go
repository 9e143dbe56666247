package ws

// Opcode says what a frame carries (RFC 6455, section 5.2).
type Opcode uint8

// The opcodes. All others are reserved.
const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xA
)

// MaxControl is how many bytes a control frame carries at most (RFC 6455, section 5.5).
const MaxControl = 125

// Control reports whether op is that of a control frame, reserved ones among them.
func (op Opcode) Control() bool { return op&0x8 != 0 }

// reserved reports whether no meaning is defined for op.
func (op Opcode) reserved() bool { return Binary < op && op < Close || op > Pong }
