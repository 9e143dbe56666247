package main

import (
	"io"
	"log/slog"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// newLogger returns a logger that writes as the configuration says.
func newLogger(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	if level.UnmarshalText([]byte(c.Level)) != nil {
		level = slog.LevelInfo // the configuration was checked: it is one of four words
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
