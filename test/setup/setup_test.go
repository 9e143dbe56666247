// Package setup_test tests the scripts that set a machine up for the other tests, on machines made of a folder of
// programs that do nothing.
package setup_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// machine is a folder that stands for everything that is installed, and a log of what was called.
type machine struct {
	t      *testing.T
	folder string
}

// newMachine returns a machine with nothing but bash, for that user, where apt-get, if it is there, installs programs.
func newMachine(t *testing.T, user string, apt bool) *machine {
	t.Helper()
	m := &machine{t: t, folder: t.TempDir()}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bash", "chmod", "mkdir", "touch"} {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(real, filepath.Join(m.folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	m.program("id", "#!"+bash+"\necho "+user)
	if apt {
		m.program("apt-get", `#!`+bash+`
echo "apt-get $*" >>"`+m.folder+`/log"
[[ $1 == install ]] || exit 0
for name in "$@"; do
  case $name in
    gcc | npm) echo "#!`+bash+`" >"`+m.folder+`/$name" ;;
    nodejs) name=node; printf '#!`+bash+`\necho "v${NODE:-20}.1.0"\n' >"`+m.folder+`/node" ;;
    chromium) echo "#!`+bash+`" >"`+m.folder+`/$name" ;;
    python3-websockets) name=python3; echo "#!`+bash+`" >"`+m.folder+`/python3" ;;
    *) continue ;;
  esac
  chmod +x "`+m.folder+`/$name"
done`)
	}
	return m
}

func (m *machine) program(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.folder, name), []byte(text+"\n"), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

// run runs a script and returns what it says and whether it succeeded.
func (m *machine) run(environ []string, arguments ...string) (said string, ok bool) {
	m.t.Helper()
	if _, err := os.ReadFile(arguments[0]); err != nil { // the go command, too, sees that the test depends on it
		m.t.Fatal(err)
	}
	c := exec.CommandContext(m.t.Context(), filepath.Join(m.folder, "bash"), arguments...)
	c.Env = append([]string{
		"PATH=" + m.folder, "CHROMIUM=" + m.folder + "/chromium", "PYTHON=" + m.folder + "/python3",
	}, environ...)
	var output bytes.Buffer
	c.Stdout, c.Stderr = &output, &output
	err := c.Run()
	return output.String(), err == nil
}

func (m *machine) log() string {
	m.t.Helper()
	content, err := os.ReadFile(filepath.Join(m.folder, "log"))
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	return string(content)
}

func TestInstallsWhatIsMissing(t *testing.T) {
	m := newMachine(t, "0", true)
	all := []string{"need.sh", "gcc", "node", "npm", "chromium", "python-websockets"}
	if said, ok := m.run(nil, all...); !ok {
		t.Fatalf("failed: %s", said)
	}
	if want := "--no-install-recommends gcc libc6-dev nodejs npm chromium python3-websockets\n"; !strings.HasSuffix(m.log(), want) {
		t.Errorf("called %q, want %q at the end", m.log(), want)
	}
	before := m.log()
	if said, ok := m.run(nil, all...); !ok || said != "" || m.log() != before {
		t.Errorf("with all there it says %q, calls %q", said, strings.TrimPrefix(m.log(), before))
	}
	if err := os.Remove(filepath.Join(m.folder, "npm")); err != nil {
		t.Fatal(err)
	}
	if said, ok := m.run(nil, all...); !ok || !strings.HasSuffix(m.log(), "--no-install-recommends npm\n") {
		t.Errorf("with npm missing it says %q, calls %q", said, strings.TrimPrefix(m.log(), before))
	}
}

func TestSaysWhatToInstall(t *testing.T) {
	for name, m := range map[string]*machine{
		"an ordinary user": newMachine(t, "1000", true),
		"another system":   newMachine(t, "0", false),
	} {
		said, ok := m.run(nil, "need.sh", "bash", "gcc", "chromium")
		if ok || m.log() != "" {
			t.Errorf("%s: it succeeded, and called %q", name, m.log())
		}
		for _, want := range []string{"missing: gcc chromium\n", "apt-get install gcc libc6-dev chromium\n", "set CHROMIUM"} {
			if !strings.Contains(said, want) {
				t.Errorf("%s: it does not say %q: %s", name, want, said)
			}
		}
		if strings.Contains(said, "node") {
			t.Errorf("%s: it speaks of what nobody asked for: %s", name, said)
		}
	}
}

func TestRefusesANodeThatIsTooOld(t *testing.T) {
	m := newMachine(t, "0", true)
	said, ok := m.run([]string{"NODE=18"}, "need.sh", "node")
	if ok || !strings.Contains(said, "node has to be version 20 or newer") {
		t.Errorf("it says %q", said)
	}
	if said, ok := m.run([]string{"NODE=22"}, "need.sh", "node"); !ok || said != "" {
		t.Errorf("of a newer one it says %q", said)
	}
}

func TestInstallsModulesOnceForALock(t *testing.T) {
	m := newMachine(t, "1000", false)
	m.program("npm", `#!`+m.folder+`/bash
echo "npm $*" >>"`+m.folder+`/log"
[[ ! -e `+m.folder+`/broken ]] || exit 1
mkdir -p "$3/node_modules"; touch "$3/node_modules/.package-lock.json"`)
	folder := t.TempDir()
	lock := filepath.Join(folder, "package-lock.json")
	if err := os.WriteFile(lock, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	call := "npm ci --prefix " + folder + " --no-audit --no-fund --loglevel=error\n"
	for range 2 {
		if said, ok := m.run(nil, "modules.sh", folder); !ok || m.log() != call {
			t.Fatalf("it says %q, calls %q", said, m.log())
		}
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(lock, later, later); err != nil {
		t.Fatal(err)
	}
	m.program("broken", "")
	if said, ok := m.run(nil, "modules.sh", folder); ok || m.log() != call+call {
		t.Errorf("with a newer lock and no network it says %q, calls %q", said, m.log())
	}
}
