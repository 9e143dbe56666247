package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/doctor"
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// doctorCommand is `wireroom doctor`.
type doctorCommand struct {
	settings
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Run prints what was found; it fails where something will not do.
func (c *doctorCommand) Run(ctx context.Context, p *program, line *kong.Context) error {
	loaded, err := c.load(p, line)
	if err != nil {
		return err
	}
	o := doctor.Options{Config: &loaded.Config}
	if loaded.Config.Engine != "" {
		o.Engine = func(ctx context.Context) (doctor.Probe, error) { return probe(ctx, &loaded.Config) }
	}
	findings := doctor.Examine(ctx, o)
	for _, text := range loaded.Warnings {
		findings = append(findings, doctor.Finding{Check: "configuration", Level: doctor.Warn, Found: text})
	}
	worst := doctor.Worst(findings)
	if c.JSON {
		err = printJSON(p.out, struct {
			Level    doctor.Level     `json:"level"`
			Findings []doctor.Finding `json:"findings"`
		}{worst, findings})
	} else {
		err = printFindings(p.out, findings)
	}
	if err == nil && worst == doctor.Fail {
		return &failure{status: exitFailed, err: errors.New("something will not do")}
	}
	return err
}

// printFindings prints a line for each finding, and what to do below it.
func printFindings(out io.Writer, findings []doctor.Finding) error {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%-8s %-22s %s\n", f.Level, f.Check, f.Found)
		if f.Advice != "" {
			fmt.Fprintf(&b, "%-8s %-22s -> %s\n", "", "", f.Advice)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// probe asks an engine that nodes share to carry a message that nobody keeps, and to say what time it is.
func probe(ctx context.Context, c *config.Config) (p doctor.Probe, err error) {
	options := wireroom.Options{Logger: slog.New(slog.DiscardHandler)}
	if err := share(&options, c); err != nil {
		return p, err
	}
	e := options.Engine
	if err := e.Open(ctx, deaf{}); err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, e.Close(ctx)) }()
	type outcome struct {
		receipt engine.Receipt
		err     error
	}
	done := make(chan outcome, 1)
	began := time.Now()
	m := &protocol.Message{Room: "doctor:" + rand.Text(), Data: []byte("null")}
	e.Publish(ctx, &engine.Publication{Message: m, Ephemeral: true}, func(r engine.Receipt, err error) { done <- outcome{r, err} })
	select {
	case got := <-done:
		if got.err != nil {
			return p, got.err
		}
		p.RoundTrip = time.Since(began)
		p.Ahead = time.UnixMilli(got.receipt.Time).Sub(began.Add(p.RoundTrip / 2))
	case <-ctx.Done():
		return p, context.Cause(ctx)
	}
	p.Durability = "engine"
	if d, ok := e.(engine.Durability); ok {
		p.Durability = d.Durability()
	}
	return p, nil
}

// deaf is a feed that hears nothing.
type deaf struct{}

func (deaf) Deliver(*protocol.Message) {}
func (deaf) Flush()                    {}
func (deaf) Interrupted()              {}
