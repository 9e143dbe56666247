package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// tokenCommands are the commands about tokens.
type tokenCommands struct {
	Create tokenCreateCommand `cmd:"" help:"Print a token for a user."`
	Check  tokenCheckCommand  `cmd:"" help:"Say what a token claims, and whether the server would take it. The token itself is not printed."`
	Keys   tokenKeysCommand   `cmd:"" help:"Make a key that signs tokens, or print the public part of keys, as a JSON Web Key Set."`
}

// tokenSettings are the flags of the commands that know a configuration as the server does.
type tokenSettings struct {
	File string `name:"config" short:"c" env:"WIREROOM_CONFIG" placeholder:"FILE" help:"Configuration of the server. Left out, it is wireroom.yaml in this folder, if there is one; and the environment goes over it."`
}

func (s *tokenSettings) load(p *program) (*config.Config, error) {
	layers := config.Layers{File: s.File, Environ: p.environ}
	if layers.File == "" {
		if _, err := os.Stat(config.DefaultFile); err == nil {
			layers.File = config.DefaultFile
		}
	}
	loaded, err := loadLayers(layers)
	if err != nil {
		return nil, err
	}
	p.warn(loaded.Warnings)
	return &loaded.Config, nil
}

type tokenCreateCommand struct {
	tokenSettings
	Key       string        `placeholder:"FILE" help:"Private key to sign with, in PEM form. Left out, the secret of the configuration signs."`
	Algorithm string        `placeholder:"NAME" help:"Algorithm of that key. Left out, it is the usual one of its kind, and HS256 for the secret."`
	KeyID     string        `name:"kid" placeholder:"ID" help:"Name of that key, as the server knows it. Left out, it is made of the key, as it is where the server reads PEM."`
	User      string        `required:"" placeholder:"USER" help:"User whom the token is for."`
	Name      string        `placeholder:"NAME" help:"Display name."`
	Roles     []string      `name:"role" placeholder:"ROLE" help:"Role of the user; may be given several times."`
	Grants    []string      `name:"grant" sep:"none" placeholder:"GRANT" help:"What the user may do where, such as \"join,publish chat/*\"; may be given several times."`
	TTL       time.Duration `name:"ttl" default:"1h" placeholder:"DURATION" help:"How long the token is good; 0s is for ever."`
	ID        string        `placeholder:"ID" help:"Name of the token, by which it can be revoked. Left out, it is a random one."`
}

// Run prints a token.
func (c *tokenCreateCommand) Run(p *program) error {
	settings, err := c.load(p)
	if err != nil {
		return err
	}
	key, err := c.signingKey(settings)
	if err != nil {
		return err
	}
	identity := auth.Identity{User: c.User, Name: c.Name, Roles: c.Roles, TokenID: c.ID}
	if c.TTL < 0 {
		return &failure{status: exitUsage, err: fmt.Errorf("--ttl %v: it has expired before it is there", c.TTL)}
	}
	if c.TTL > 0 {
		identity.Expires = time.Now().Add(c.TTL)
	}
	if c.ID == "" {
		identity.TokenID = strings.ToLower(rand.Text())
	}
	for _, text := range c.Grants {
		g, err := auth.ParseGrant(text)
		if err != nil {
			return &failure{exitUsage, err, "Write verbs (join, publish, presence, history or *), a space, and a pattern of rooms."}
		}
		identity.Grants = append(identity.Grants, g)
	}
	signed, err := key.Sign(identity, claimsFor(&settings.Tokens, &identity))
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, signed)
	return nil
}

// claimsFor returns what a token has to say for a server with that configuration to take it and find the identity.
func claimsFor(t *config.Tokens, identity *auth.Identity) map[string]any {
	more := make(map[string]any)
	if len(t.Issuers) > 0 {
		more["iss"] = t.Issuers[0]
	}
	if len(t.Audiences) > 0 {
		more["aud"] = t.Audiences[0]
	}
	grants := make([]string, len(identity.Grants))
	for i, g := range identity.Grants {
		grants[i] = g.String()
	}
	for claim, value := range map[string]any{t.UserClaim: identity.User, t.NameClaim: identity.Name, t.RolesClaim: identity.Roles, t.GrantsClaim: grants} {
		switch value := value.(type) {
		case string:
			if value == "" {
				continue
			}
		case []string:
			if len(value) == 0 {
				continue
			}
		}
		more[claim] = value
	}
	return more
}

// signingKey returns the key that the flags name, or the configured secret.
func (c *tokenCreateCommand) signingKey(settings *config.Config) (auth.SigningKey, error) {
	if c.Key == "" {
		key := auth.SigningKey{ID: c.KeyID, Algorithm: secretAlgorithm, Secret: []byte(settings.Secret)}
		if settings.Secret == "" {
			return key, &failure{
				exitUsage, errors.New("there is nothing to sign with"),
				"Name a private key by --key, or configure a secret (WIREROOM_SECRET, WIREROOM_SECRET_FILE, or secret in the file).",
			}
		}
		if c.Algorithm != "" {
			key.Algorithm = c.Algorithm
		}
		return key, nil
	}
	text, err := os.ReadFile(c.Key)
	if err != nil {
		return auth.SigningKey{}, &failure{status: exitUsage, err: fmt.Errorf("read the key: %w", err)}
	}
	algorithm := c.Algorithm
	if algorithm == "" {
		algorithm = settings.Tokens.Algorithm
	}
	key, err := auth.ParseSigningKey(text, algorithm)
	if err != nil {
		return key, &failure{status: exitUsage, err: fmt.Errorf("%s: %w", c.Key, err)}
	}
	if c.KeyID != "" {
		key.ID = c.KeyID
	}
	return key, nil
}

type tokenCheckCommand struct {
	tokenSettings
	Token string `arg:"" optional:"" help:"File with the token; - or nothing for standard input."`
}

// Run prints the claims of a token, and fails if the server would not take it.
func (c *tokenCheckCommand) Run(ctx context.Context, p *program) error {
	settings, err := c.load(p)
	if err != nil {
		return err
	}
	token, err := c.read(p)
	if err != nil {
		return err
	}
	verifier, err := newVerifier(ctx, settings, slog.New(slog.NewTextHandler(p.err, nil)))
	if err != nil {
		return err
	}
	if verifier == nil {
		return &failure{exitUsage, errors.New("there is nothing to check it with"), "Configure a secret, or tokens.keys, as for the server."}
	}
	defer verifier.Close()
	printSegments(p.out, token)
	identity, err := verifier.Authenticate(ctx, token)
	if err != nil {
		return &failure{status: exitRefused, err: fmt.Errorf("the server refuses it: %w", err)}
	}
	fmt.Fprintf(p.out, "good: user %q", identity.User)
	if !identity.Expires.IsZero() {
		fmt.Fprintf(p.out, ", until %s", identity.Expires.UTC().Format(time.RFC3339))
	}
	fmt.Fprintln(p.out)
	return nil
}

// read returns the token.
func (c *tokenCheckCommand) read(p *program) (string, error) {
	from := p.in
	if c.Token != "" && c.Token != "-" {
		file, err := os.Open(c.Token)
		if err != nil {
			// It may be the token itself: it is not repeated.
			return "", &failure{exitUsage, errors.New("no file of that name can be read"), "Give the token by standard input, or the name of a file with it: everybody on the machine can see a command line."}
		}
		defer file.Close()
		from = file
	}
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(from, most))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// printSegments prints the header and the claims of a token, which anybody can read, and not its signature.
func printSegments(w io.Writer, token string) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return
	}
	for i, name := range []string{"header", "claims"} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		var indented bytes.Buffer
		if err != nil || json.Indent(&indented, text, "", "  ") != nil {
			fmt.Fprintf(w, "%s: no JSON in base64url\n", name)
			continue
		}
		fmt.Fprintf(w, "%s: %s\n", name, indented.Bytes())
	}
}

type tokenKeysCommand struct {
	Files     []string `arg:"" optional:"" help:"Files with keys, in PEM form or as JSON Web Keys. With none a key is made."`
	Algorithm string   `default:"" placeholder:"NAME" help:"Algorithm of the keys (ES256 for one that is made): HS256, RS256, PS256, ES256, EdDSA and their kin."`
	Private   string   `placeholder:"FILE" help:"File to write the private key to that is made. It must not be there yet."`
}

// Run makes a key, or prints those in files.
func (c *tokenKeysCommand) Run(p *program) error {
	var keys []auth.Key
	for _, name := range c.Files {
		text, err := os.ReadFile(name)
		if err != nil {
			return &failure{status: exitUsage, err: err}
		}
		found, err := auth.ParseKeys(text, c.Algorithm)
		if err != nil {
			return &failure{status: exitUsage, err: fmt.Errorf("%s: %w", name, err)}
		}
		keys = append(keys, found...)
	}
	if len(c.Files) == 0 {
		key, err := c.generate()
		if err != nil {
			return err
		}
		if key.Secret != nil {
			fmt.Fprintf(p.err, "wireroom: a secret for %s is in %s; it has no public part\n", key.Algorithm, c.Private)
			return nil
		}
		keys = append(keys, key.Key())
	}
	set, err := auth.MarshalJWKS(keys)
	if err != nil {
		return err
	}
	_, err = p.out.Write(set)
	return err
}

// generate makes a key and writes its private part to a file that only its owner may read.
func (c *tokenKeysCommand) generate() (auth.SigningKey, error) {
	if c.Private == "" {
		return auth.SigningKey{}, &failure{exitUsage, errors.New("nowhere to write the private key to"), "Name a file by --private, or files with keys to print."}
	}
	algorithm := c.Algorithm
	if algorithm == "" {
		algorithm = "ES256"
	}
	key, err := auth.GenerateKey(algorithm)
	if err != nil {
		return key, &failure{status: exitUsage, err: err}
	}
	text := []byte(base64.RawURLEncoding.EncodeToString(key.Secret) + "\n")
	if key.Secret == nil {
		if text, err = key.MarshalPrivate(); err != nil {
			return key, err
		}
	}
	file, err := os.OpenFile(c.Private, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return key, &failure{status: exitUsage, err: err}
	}
	_, err = file.Write(text)
	return key, errors.Join(err, file.Close())
}
