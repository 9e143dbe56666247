package protocol

// CheckRoom reports whether name is the name of a room that a client may ask for: 1 to MaxRoomLen bytes of
// `A-Z a-z 0-9 _ : . - / = + ~ @`, where an @ stands only at the beginning, of an inbox, and what follows it is a user
// as EncodeUser writes it. Rooms whose names begin with $ are the server's own and fail here.
func CheckRoom[T string | []byte](name T) bool {
	if len(name) == 0 || len(name) > MaxRoomLen {
		return false
	}
	if name[0] == '@' {
		return len(name) > 1 && checkUser(name[1:])
	}
	for i := range len(name) {
		if nameClasses[name[i]]&roomByte == 0 {
			return false
		}
	}
	return true
}

// Inbox returns the room in which user receives private messages. It is no valid room for the empty user, nor for one
// so long that the name exceeds MaxRoomLen.
func Inbox(user string) string { return "@" + EncodeUser(user) }

// InboxUser returns the user whose inbox room is; ok is false when it is no inbox.
func InboxUser(room string) (user string, ok bool) {
	if !CheckRoom(room) || room[0] != '@' {
		return "", false
	}
	return DecodeUser(room[1:])
}

// EncodeUser returns user in the form that stands in the names of rooms: bytes other than `A-Z a-z 0-9 _ . -` are
// written as ~ and two lower-case hexadecimal digits. Different users have different forms.
func EncodeUser(user string) string {
	escapes := 0
	for i := range len(user) {
		if nameClasses[user[i]]&userByte == 0 {
			escapes++
		}
	}
	if escapes == 0 {
		return user
	}
	const hex = "0123456789abcdef"
	b := make([]byte, 0, len(user)+2*escapes)
	for i := range len(user) {
		if c := user[i]; nameClasses[c]&userByte != 0 {
			b = append(b, c)
		} else {
			b = append(b, '~', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// DecodeUser undoes EncodeUser; ok is false for what EncodeUser does not write for any user but the empty one.
func DecodeUser(text string) (user string, ok bool) {
	if len(text) == 0 || !checkUser(text) {
		return "", false
	}
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '~' {
			b = append(b, text[i])
			continue
		}
		b = append(b, hexDigit(text[i+1])<<4|hexDigit(text[i+2]))
		i += 2
	}
	return string(b), true
}

// checkUser reports whether text is what EncodeUser writes for some user.
func checkUser[T string | []byte](text T) bool {
	for i := 0; i < len(text); i++ {
		if nameClasses[text[i]]&userByte != 0 {
			continue
		}
		if text[i] != '~' || len(text)-i < 3 {
			return false
		}
		high, low := hexDigit(text[i+1]), hexDigit(text[i+2])
		if high > 15 || low > 15 || nameClasses[high<<4|low]&userByte != 0 {
			return false // no digits, or an escape of what needs none
		}
		i += 2
	}
	return true
}

// Classes of bytes in names.
const (
	roomByte = 1 << iota // in the name of a room
	userByte             // in a user, as itself
)

// nameClasses maps a byte to its classes.
var nameClasses = func() (t [256]uint8) {
	for c := range 256 {
		switch c := byte(c); {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '.', c == '-':
			t[c] = roomByte | userByte
		case c == ':', c == '/', c == '=', c == '+', c == '~':
			t[c] = roomByte
		}
	}
	return t
}()
