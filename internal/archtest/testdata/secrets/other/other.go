package other

const (
	Secret   = "everybody knows it"
	password = "this one, too"
)

var Ticket = Secret

func compares(given string) bool { return given == password }
