package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// version is the version of a release, set when it is linked: -ldflags "-X main.version=v1.2.3". Empty, it is what the
// go command knows.
var version string

type versionCommand struct{}

// Run prints the version, and what was built how.
func (versionCommand) Run(p *program) error {
	fmt.Fprintln(p.out, describeBuild())
	return nil
}

// versionName returns the version alone.
func versionName() string {
	build, ok := debug.ReadBuildInfo()
	switch {
	case version != "":
		return version
	case ok && build.Main.Version != "" && build.Main.Version != "(devel)":
		return build.Main.Version
	}
	return "development"
}

// describeBuild returns a line with all that is known of this binary.
func describeBuild() string {
	words := []string{"wireroom", versionName()}
	if build, ok := debug.ReadBuildInfo(); ok {
		words = append(words, describeSource(build.Settings)...)
	}
	return strings.Join(append(words, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH), " ")
}

// describeSource returns words about the source: its commit, the commit's time, and whether there were changes.
func describeSource(settings []debug.BuildSetting) []string {
	known := make(map[string]string)
	for _, s := range settings {
		known[s.Key] = s.Value
	}
	commit := known["vcs.revision"]
	if commit == "" {
		return nil
	}
	words := []string{"commit", commit[:min(len(commit), 12)]}
	if at := known["vcs.time"]; at != "" {
		words = append(words, "of", at)
	}
	if known["vcs.modified"] == "true" {
		words = append(words, "with changes")
	}
	return words
}
