package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/test/faults/internal/result"
	"github.com/wireroom/wireroom/test/faults/internal/rig"
)

// hunt is a search for seeded bugs.
type hunt struct {
	root, dir string // of the module; for what is built
	control   bool
	record    string           // gets what was caught
	runs      string           // gets what the runs without a bug measured
	held      map[string]error // by fault: how it fared without a bug
}

// mutants builds the suite and the servers with each seeded bug, and wants the faults that name it to fail, and to hold
// without it. Without one they are built once, and each fault is run once.
func mutants(ctx context.Context, args []string) error {
	h := hunt{held: make(map[string]error)}
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.BoolVar(&h.control, "control", false, "run each fault without a bug, too: one that fails anyway catches nothing")
	flags.StringVar(&h.record, "record", "", "file that gets what was caught")
	flags.StringVar(&h.runs, "record-runs", "", "file that gets what the runs without a bug measured")
	part := flags.String("part", "1/1", "of the bugs, as 2/3: the second third")
	err := flags.Parse(args)
	if err == nil {
		h.root, err = rig.Root(ctx)
	}
	if err == nil {
		h.dir, err = os.MkdirTemp("", "wireroom-mutants-")
	}
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(h.dir) }()
	bugs, err := chooseBugs(*part, flags.Args())
	if err != nil {
		return err
	}
	return h.all(ctx, bugs)
}

// bug is a seeded bug that a fault must catch.
type bug struct {
	fault fault
	tag   string
}

// chooseBugs returns the bugs that are named, as mut_noverify or, for one of its faults, as F8/mut_noverify; or all; and of
// them a part.
func chooseBugs(part string, tags []string) (bugs []bug, err error) {
	for _, f := range faults() {
		for _, tag := range f.Mutants {
			if len(tags) == 0 || slices.Contains(tags, tag) || slices.Contains(tags, f.Name+"/"+tag) {
				bugs = append(bugs, bug{f, tag})
			}
		}
	}
	var i, n int
	if _, err := fmt.Sscanf(part, "%d/%d", &i, &n); err != nil || i < 1 || i > n {
		return nil, fmt.Errorf("part %q: want one as 2/3", part)
	}
	bugs = bugs[(i-1)*len(bugs)/n : i*len(bugs)/n]
	if len(bugs) == 0 {
		return nil, fmt.Errorf("no bug of %q is one", tags)
	}
	return bugs, nil
}

// all goes through bugs.
func (h *hunt) all(ctx context.Context, bugs []bug) error {
	var missed []string
	began := time.Now()
	for i, b := range bugs {
		fmt.Printf("%2d/%d %-4s %-16s ", i+1, len(bugs), b.fault.Name, b.tag)
		start := time.Now()
		said, err := h.one(ctx, b)
		took := time.Since(start)
		if err != nil {
			missed = append(missed, b.tag)
			fmt.Printf("%4.0f s  NOT CAUGHT: %v\n", took.Seconds(), err)
		} else {
			fmt.Printf("%4.0f s  caught: %s\n", took.Seconds(), said)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if h.record == "" {
			continue
		}
		caught := result.Bug{Fault: b.fault.Name, Tag: b.tag, Caught: err == nil, Said: said, Seconds: took.Seconds()}
		if err := result.RecordBug(h.record, caught); err != nil {
			return err
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("not caught: %s", strings.Join(missed, " "))
	}
	fmt.Printf("all %d caught, after %.0f s\n", len(bugs), time.Since(began).Seconds())
	return nil
}

// one returns how a fault failed with a bug, or why that is not known to be because of it.
func (h *hunt) one(ctx context.Context, b bug) (said string, err error) {
	if h.control {
		if err := h.holds(ctx, b.fault); err != nil {
			return "", fmt.Errorf("it fails without the bug, too: %w", err)
		}
	}
	said, err = h.run(ctx, b.fault, b.tag)
	if err == nil && said == "" {
		err = errors.New("it holds")
	}
	return said, errors.Join(err, os.RemoveAll(h.bin(b.tag)))
}

// holds returns how a fault failed without a bug, if it did.
func (h *hunt) holds(ctx context.Context, f fault) error {
	err, known := h.held[f.Name]
	if known {
		return err
	}
	said, err := h.run(ctx, f, "")
	if err == nil && said != "" {
		err = errors.New(said)
	}
	h.held[f.Name] = err
	return err
}

// How a run begins to tell what failed: a promise, or that it could not be made at all.
const (
	notAsPromised = " FAILED: "
	couldNotRun   = " COULD NOT RUN: "
)

// bin returns where the programs of a build with a tag are.
func (h *hunt) bin(tag string) string { return filepath.Join(h.dir, cmp.Or(tag, "without")) }

// suite returns the suite in a build with a tag. It is this program where the tag changes nothing of it: the servers it
// builds itself.
func (h *hunt) suite(ctx context.Context, tag string) (string, error) {
	if err := os.MkdirAll(h.bin(tag), 0o700); err != nil {
		return "", err
	}
	if changed, err := h.changed(ctx, tag); err != nil || !changed {
		self, failed := os.Executable()
		return self, errors.Join(err, failed)
	}
	suite := filepath.Join(h.bin(tag), "faults")
	if _, err := h.goes(ctx, "build", "-tags", tag, rig.NoSymbols, "-o", suite, suitePackage); err != nil {
		return "", fmt.Errorf("it does not build: %w", err)
	}
	return suite, nil
}

// suitePackage is that of this program.
const suitePackage = "./test/faults"

// changed reports whether the suite itself is another one with a tag.
func (h *hunt) changed(ctx context.Context, tag string) (bool, error) {
	if tag == "" {
		return false, nil
	}
	out, err := h.goes(ctx, "list", "-deps", "-tags", tag, "-f", `{{range .GoFiles}}{{.}}{{"\n"}}{{end}}`, suitePackage)
	return bytes.Contains(out, []byte("\n"+tag+".go\n")), err
}

// goes runs a command of Go at the root of the module, and returns what it says.
func (h *hunt) goes(ctx context.Context, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir = h.root
	out, err := c.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go %s: %w\n%s", args[0], err, out)
	}
	return out, err
}

// run runs a fault in a build with a tag. It returns which promise was broken, if one was.
func (h *hunt) run(ctx context.Context, f fault, tag string) (said string, err error) {
	suite, err := h.suite(ctx, tag)
	if err != nil {
		return "", err
	}
	args := []string{"run", "-bin", h.bin(tag), "-tags", tag}
	if tag == "" && h.runs != "" {
		args = append(args, "-record", h.runs)
	}
	out, err := rig.RunWithin(ctx, shortLimit(f)+2*grace, h.root, suite, append(args, f.Name)...)
	if err == nil {
		return "", nil
	}
	i := bytes.Index(out, []byte(f.Name+notAsPromised))
	late := bytes.Contains(out, []byte(context.DeadlineExceeded.Error())) || errors.Is(err, context.DeadlineExceeded)
	switch { // the machine may be too slow for it
	case late:
		return "", errors.New("it did not end in time")
	case i < 0:
		return "", fmt.Errorf("it did not run: %w\n%s", err, out[max(0, len(out)-1000):])
	}
	line, _, _ := strings.Cut(string(out[i+len(f.Name+notAsPromised):]), "\n")
	return line[:min(len(line), 150)], nil
}
