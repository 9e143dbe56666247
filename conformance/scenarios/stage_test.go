package scenarios

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/conformance/scenarios/stage"
)

var (
	update  = flag.Bool("update", false, "write the golden files anew")
	foreign = flag.String("server", "", "`address` (http://host:port) of a server to play against in place of one in this process")
	program = flag.String("program", "", "`file` with the program wireroom, to be started and played against")
	key     = flag.String("secret", stage.Secret, "what tokens are signed with, by HS256")
)

// TestMain has more scenarios played at once than there are processors: some wait for what takes the server seconds.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if *program == "" {
		return m.Run()
	}
	address, end, err := serveProgram(*program)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer end()
	*foreign = address
	return m.Run()
}

// newStage starts a server, or takes the one that was given.
func newStage(t *testing.T, portable bool, s *stage.Settings) *stage.Stage {
	t.Helper()
	if *foreign != "" {
		return &stage.Stage{URL: strings.TrimSuffix(*foreign, "/")}
	}
	at, err := stage.Start(t.Context(), s, portable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := at.Close(); err != nil {
			t.Error(err)
		}
	})
	return at
}

// token returns the token of a user for one run of a scenario.
func (w *words) token(s step) (string, error) {
	user := s.User
	switch user {
	case "":
		user = s.Open
	case "-":
		return "", nil
	}
	seconds := s.Expires
	if seconds == 0 {
		seconds = 3600
	}
	of := stage.Bearer{
		User: w.name("{" + user + "}"), Name: strings.ToUpper(user[:1]) + user[1:], Roles: s.Roles,
		Lasts: time.Duration(seconds) * time.Second,
	}
	return of.Token(*key)
}
