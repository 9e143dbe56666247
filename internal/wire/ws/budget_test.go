package ws

import "testing"

// nothing takes whatever comes.
type nothing struct{}

func (nothing) Message(Opcode, []byte) bool { return true }
func (nothing) Control(Opcode, []byte) bool { return true }

// Messages that come in part, and never whole, hold no more together than they may; those that are released, complete or
// wrong give back what they held.
func TestHalfMessagesAreBoundedTogether(t *testing.T) {
	budget := &Budget{Most: 1 << 20}
	config := Config{MaxMessage: 64 << 10, Budget: budget}
	half := func() []byte { // 40,000 bytes of a message of 60,000
		return append([]byte{0x82, 0xfe, 60_000 >> 8, 60_000 & 255, 0, 0, 0, 0}, make([]byte, 40_000)...)
	}
	var open []*Decoder
	var refused *CloseError
	for len(open) < 1000 && refused == nil {
		var d *Decoder
		_, refused = config.Decode(&d, half(), nothing{})
		open = append(open, d)
	}
	if refused == nil || refused.Code != CloseTryAgain || len(open) > 27 || len(open) < 15 {
		t.Fatalf("%v after %d", refused, len(open))
	}
	last := len(open) - 1
	if held := budget.held.Load(); held > budget.Most || held < budget.Most/2 {
		t.Errorf("%d bytes are held after one was refused", held)
	}
	if n, err := config.Decode(&open[0], make([]byte, 20_000), nothing{}); n != 20_000 || err != nil || open[0] != nil {
		t.Errorf("one that is complete: %d, %v", n, err)
	}
	if _, err := config.Decode(&open[1], append(make([]byte, 20_000), 0xff), nothing{}); err == nil {
		t.Error("what follows is wrong and was taken")
	}
	for _, d := range open[1:last] {
		d.Release()
	}
	open[last].Release()
	if held := budget.held.Load(); held != 0 {
		t.Errorf("%d bytes are held at the end", held)
	}
	var d *Decoder
	if _, err := config.Decode(&d, half(), nothing{}); err != nil {
		t.Errorf("there is room again: %v", err)
	}
	d.Release()
}
