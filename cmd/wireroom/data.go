package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/engine/disk"
)

// What is in the directory of --data.
const (
	messagesName = "messages" // the directory of the disk engine
	secretName   = "secret"   // signs the tokens of anonymous users, where no secret is configured
)

// keep has a server keep its messages on the engine's server, or in a directory, and the secret with which anonymous
// users return after a restart. With neither it changes nothing.
func keep(o *wireroom.Options, c *config.Config) error {
	if c.Engine != "" {
		return share(o, c)
	}
	dir := c.Data
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	if o.Secret == nil {
		secret, err := keptSecret(filepath.Join(dir, secretName))
		if err != nil {
			return fmt.Errorf("data: %w", err)
		}
		o.Secret = secret
	}
	o.Engine = disk.New(disk.Options{Dir: filepath.Join(dir, messagesName), Logger: o.Logger})
	return nil
}

// keptSecret returns the secret in a file, which is made at the first time.
func keptSecret(path string) ([]byte, error) {
	secret, err := os.ReadFile(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	secret = []byte(rand.Text())
	return secret, os.WriteFile(path, secret, 0o600)
}
