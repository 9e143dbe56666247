package stateless

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/protocol"
)

const here, there = "k3f7x2ab.42.9c1d44b2", "q2h5ajx7.7.00c4e1d0"

func TestVectorSaysWhatItWasTold(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"", ""},
		{"a=" + here, "a=" + here},
		{"b=x=" + there + ",a=" + here, "a=" + here + ",b=x=" + there},
		{"a=" + here + ",other=" + there, "a=" + here},
		{"a=" + here + ",a=" + there, "a=" + there},
		{"a=0", "a=0"},
		{"a=-", "a=-"},
		{"a=x", "a=0"},
		{"a=" + here + ",b=x", "a=" + here}, // b is no room of the request, b=x is one
		{"a=", "a=0,b=x=0"},
		{"=" + here, "a=0,b=x=0"},
		{"x", "a=0,b=x=0"},
		{"a=" + here + ",", "a=" + here + ",b=x=0"},
		{"a%3D" + here, "a=" + here},
		{"a%3D" + here + ",b%3dx=" + there, "a=" + here + ",b=x=" + there},
		{"a=%", "a=0,b=x=0"},
		{"a=%0a", "a=0,b=x=0"},
	} {
		v := newVector([]string{"a", "b=x"})
		err := v.read(row.text)
		if got := v.String(); err != nil || got != row.want {
			t.Errorf("%q: %q, %v, want %q", row.text, got, err, row.want)
		}
	}
	for _, text := range []string{"a=\n", "a=\r", "\x00", "a=" + here + "\x7f", strings.Repeat("a", MaxVector+1)} {
		v := newVector([]string{"a"})
		if err := v.read(text); err == nil {
			t.Errorf("%.20q is read as %q", text, v.String())
		}
	}
}

func TestVectorMovesAndGoesBack(t *testing.T) {
	v := newVector([]string{"a", "b"})
	p, q := position(t, here), position(t, there)
	if !v.Move([]byte("a"), p) || v.Move([]byte("c"), p) {
		t.Fatal("moved in a room that was not asked for")
	}
	var before Saved
	v.Save(&before)
	v.Move([]byte("a"), q)
	v.Move([]byte("b"), q)
	if got := v.String(); got != "a="+there+",b="+there {
		t.Fatal(got)
	}
	if v.Restore(&before); v.String() != "a="+here {
		t.Fatal(v.String())
	}
	other := v.Clone()
	if v.Refuse("b"); v.String() != "a="+here+",b=-" || other.String() != "a="+here || !v.Refused("b") || v.Positioned("b") || !v.Positioned("a") {
		t.Fatal(v.String(), other.String())
	}
	if !v.Same(&other, "a") || v.Same(&other, "b") || v.Same(&other, "c") {
		t.Fatal("what differs is the same")
	}
}

func TestTheLargestVectorFits(t *testing.T) {
	rooms := make([]string, MaxRooms)
	for i := range rooms {
		rooms[i] = strings.Repeat("r", protocol.MaxRoomLen-1) + string(rune('a'+i))
	}
	v := newVector(rooms)
	for _, room := range rooms {
		v.Move([]byte(room), protocol.Position{Epoch: 1, Offset: 1<<64 - 1})
	}
	if n := len(v.String()); n > MaxVector {
		t.Fatalf("%d bytes", n)
	}
	again := newVector(rooms)
	if err := again.read(v.String()); err != nil || again.String() != v.String() {
		t.Fatal(err)
	}
}

func position(t *testing.T, text string) protocol.Position {
	t.Helper()
	p, err := protocol.ParsePosition(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestJoinsAskForWhatIsMissing(t *testing.T) {
	q := "/sse?room=a&room=b&room=c&room=d&room=a&last=7&presence=1&lastEventId=" + url.QueryEscape("b="+here+",c=0,d=-")
	a, err := Parse(httptest.NewRequest("GET", q, nil), "alice")
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, j := range a.Joins() {
		got += string(j.ID) + " " + string(j.Since) + " " + strings.Repeat("l", j.Request.Last) + ","
		if !j.Presence || string(j.Request.Room) != j.Room() {
			t.Errorf("%+v", j)
		}
	}
	if want := `"a"  lllllll,"b" ` + here + ` ,"c" 0 ,"d"  lllllll,`; got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// FuzzVector wants of every text that it is refused, or says something that says the same again.
func FuzzVector(f *testing.F) {
	for _, text := range []string{
		"", "a=" + here, "a=" + here + ",b=c=" + there, "a%3D" + here, "a=0,b=c=-", ",", "=", "a=b=c", "a=%00", "%", "a=" + here + ",", "stop",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v := newVector([]string{"a", "b=c", "@ann~40x"})
		if err := v.read(text); err != nil {
			return
		}
		if text != "" && !strings.Contains(text, "=") && !strings.Contains(text, "%") && v.String() != "a=0,b=c=0,@ann~40x=0" {
			t.Fatalf("%q says nothing, but %q", text, v.String())
		}
		if hasControls(v.String()) || len(v.String()) > MaxVector {
			t.Fatalf("%q is written as %q", text, v.String())
		}
		again := newVector([]string{"a", "b=c", "@ann~40x"})
		if err := again.read(v.String()); err != nil || again.String() != v.String() {
			t.Fatalf("%q is %q, and that is %q, %v", text, v.String(), again.String(), err)
		}
	})
}
