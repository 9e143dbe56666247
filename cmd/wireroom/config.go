package main

import (
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// configCommands are the commands about configurations.
type configCommands struct {
	Init  configInitCommand  `cmd:"" help:"Print a configuration file with every setting at its default, explained."`
	Show  configShowCommand  `cmd:"" help:"Print the configuration as 'serve' would see it, and where each setting comes from. Secrets are hidden."`
	Check configCheckCommand `cmd:"" help:"Check a configuration file, by itself: without the environment and flags."`
}

type configInitCommand struct{}

// Run prints the template.
func (configInitCommand) Run(p *program) error { return config.WriteTemplate(p.out) }

type configShowCommand struct {
	settings
}

// Run prints the effective configuration.
func (c *configShowCommand) Run(p *program, line *kong.Context) error {
	loaded, err := c.load(p, line)
	if err != nil {
		return err
	}
	p.warn(loaded.Warnings)
	return loaded.Write(p.out)
}

type configCheckCommand struct {
	File string `arg:"" help:"The YAML file."`
}

// Run checks one file.
func (c *configCheckCommand) Run(p *program) error {
	loaded, err := loadLayers(config.Layers{File: c.File})
	if err != nil {
		return err
	}
	p.warn(loaded.Warnings)
	fmt.Fprintln(p.out, c.File, "is right")
	return nil
}

// warn prints warnings.
func (p *program) warn(warnings []string) {
	for _, text := range warnings {
		fmt.Fprintln(p.err, "wireroom: warning:", text)
	}
}
