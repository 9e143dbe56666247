package websocket

import (
	"bytes"
	"testing"
)

func TestWhatIsSaidWhileOpeningIsBounded(t *testing.T) {
	var o opening
	frame := make([]byte, 10_000)
	kept := 0
	for range 100 {
		if _, fits := o.say(frame); fits {
			kept += len(frame)
		}
	}
	if kept > maxOpening+len(frame) || kept < maxOpening {
		t.Errorf("%d bytes are kept", kept)
	}
	if !o.sayLast([]byte("bye")) {
		t.Error("it is not opening any more")
	}
	if opening, fits := o.say(frame); !opening || !fits {
		t.Error("what follows the last frame is an error")
	}
	if said := o.take(); len(said) != kept+3 || !bytes.HasSuffix(said, []byte("bye")) {
		t.Errorf("%d bytes are said", len(said))
	}
}
