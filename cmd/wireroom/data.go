package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

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
	if err := makeDir(dir); err != nil {
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

// makeDir makes a directory that outlives the end of the power: what is synced in it is worth nothing without it.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

// syncDir syncs the names in a directory, where the system can.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// keptSecret returns the secret in a file, which is made at the first time.
func keptSecret(path string) ([]byte, error) {
	secret, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		secret = []byte(rand.Text())
		return secret, writeSynced(path, secret)
	case err == nil && len(secret) < secretLen:
		err = fmt.Errorf("%s is cut short: restore it, or delete it, with which anonymous users lose their names", path)
	}
	return secret, err
}

// secretLen is how long a secret is at least.
const secretLen = 16

// writeSynced writes a file that is there whole or not at all, whenever the power ends, for its owner alone.
func writeSynced(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}
