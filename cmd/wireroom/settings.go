package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// settings are the flags of the commands that have a configuration.
type settings struct {
	File string `name:"config" short:"c" env:"WIREROOM_CONFIG" placeholder:"FILE" help:"YAML file with settings; flags and the environment go over it. Left out, it is wireroom.yaml in this folder, if there is one."`
	config.Config
}

// load returns the configuration, of all that it can come from.
func (s *settings) load(p *program, line *kong.Context) (*config.Loaded, error) {
	layers := config.Layers{File: s.File, Environ: p.environ, Flags: &s.Config}
	for _, element := range line.Path {
		if element.Flag != nil && !element.Resolved {
			layers.Given = append(layers.Given, "--"+element.Flag.Name)
		}
	}
	if layers.File == "" {
		if _, err := os.Stat(config.DefaultFile); err == nil {
			layers.File = config.DefaultFile
		}
	}
	return loadLayers(layers)
}

// loadLayers returns a configuration, or a failure that says what to do.
func loadLayers(layers config.Layers) (*config.Loaded, error) {
	loaded, err := config.Load(layers)
	var problems config.Problems
	switch {
	case err == nil:
		return loaded, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, &failure{exitConfig, err, fmt.Sprintf("`wireroom config init > %s` makes one to begin with.", layers.File)}
	case errors.As(err, &problems):
		return nil, &failure{exitConfig, fmt.Errorf("the configuration is wrong:\n%w", problems), "`wireroom config init` prints every setting, explained."}
	}
	return nil, &failure{status: exitConfig, err: err}
}

// formatHelp returns the help of a flag, with its default and its environment variable.
func formatHelp(value *kong.Value) string {
	if value.Flag == nil {
		return kong.DefaultHelpValueFormatter(value)
	}
	var more []string
	if value.HasDefault && value.Default != "" {
		more = append(more, "default "+value.Default)
	}
	for _, env := range value.Tag.Envs {
		more = append(more, "$"+env)
	}
	for _, s := range config.Settings() {
		if s.Flag == "--"+value.Name && s.Env != "" {
			more = append(more, "$"+s.Env)
		}
	}
	if len(more) == 0 {
		return value.Help
	}
	return fmt.Sprintf("%s (%s)", value.Help, strings.Join(more, ", "))
}
