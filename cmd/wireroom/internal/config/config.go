// Package config is the configuration of the program wireroom: one struct, filled from its defaults, a file, the
// environment and the command line, the later ones over the earlier.
//
// A setting is a field. Its key in the file, its environment variable and its flag follow from the field's name:
// Limits.MaxMessage is limits.max_message, WIREROOM_LIMITS_MAX_MESSAGE and --limits-max-message. The tag `help` is what
// users read about it, everywhere; the tag `default` is its default, as a user would write it.
package config

import "time"

// Config is every setting. The flags of a command are the same struct, embedded with kong.
type Config struct {
	Listen      string   `default:"127.0.0.1:8080" group:"Server" placeholder:"ADDRESS" help:"Address and port to listen on. With :8080 it is every address of the machine."`
	Node        string   `group:"Server" placeholder:"NAME" help:"Name of this node, in logs and for clients. Left out, it is the host's name."`
	Paths       []string `default:"/ws" group:"Server" placeholder:"PATH" help:"Paths under which clients connect by WebSocket."`
	StreamPaths []string `default:"/sse" group:"Server" placeholder:"PATH" help:"Paths of streams of server-sent events, for clients that cannot use WebSocket. With an empty one there are none."`
	PollPaths   []string `default:"/poll" group:"Server" placeholder:"PATH" help:"Paths of long polls, for clients that cannot use streams either. With an empty one there are none."`
	SendPaths   []string `default:"/send" group:"Server" placeholder:"PATH" help:"Paths to which those clients post what they send. With an empty one there are none."`
	SocketIO    SocketIO `embed:"" prefix:"socket-io-" group:"Server" help:"Clients of Socket.IO."`
	Data        string   `group:"Server" placeholder:"DIR" help:"Directory to keep messages in: they outlive the server, and are acknowledged when they are safe. Made where it is missing. Left out, messages are kept in memory."`
	Engine      URL      `group:"Server" placeholder:"URL" help:"Server that carries and keeps messages for many nodes at once: redis://HOST:6379, or rediss:// for TLS. With ?addr=HOST:PORT, again and again, it names more of them: the nodes of a cluster or, with &master_set=NAME besides, Sentinels. Left out, this node is alone."`
	Redis       Redis    `embed:"" prefix:"redis-" group:"Server" help:"What else there is to say of a Redis server."`
	Chat        bool     `default:"true" negatable:"" group:"Server" help:"Serve the chat page at /. It connects to /ws, and is left out when that is not among the paths."`
	Dashboard   bool     `default:"true" negatable:"" group:"Server" help:"Serve a dashboard at /dashboard that shows how this machine fares, read while somebody looks and published in the rooms host/*, to whoever may join them. It is left out when /ws is not among the paths."`
	TLS         TLS      `embed:"" prefix:"tls-" group:"Server" help:"Serve TLS: https:// and wss://."`

	PingInterval time.Duration `default:"25s" group:"Server" placeholder:"DURATION" help:"Time between two pings of an open connection. A client that does not answer within 10 s is gone."`
	DrainTimeout time.Duration `default:"20s" group:"Server" placeholder:"DURATION" help:"How long a server that is told to stop (SIGTERM, SIGINT) may take to send its clients elsewhere."`
	Compression  bool          `default:"false" negatable:"" group:"Server" help:"Offer compression (permessage-deflate) to clients. It saves bytes and costs processor time."`

	Secret     Secret   `kong:"-" help:"Secret with which the tokens of users are signed (JSON Web Tokens, HS256), at least 16 bytes. Left out, every client is anonymous, and may choose its display name. There is no flag for it, which everybody on the machine could see."`
	SecretFile string   `group:"Who may connect" placeholder:"FILE" help:"File with the secret, instead of the secret itself. A line end at its end does not count."`
	Tokens     Tokens   `embed:"" prefix:"tokens-" group:"Who may connect" help:"Tokens of users that others sign, and what must be true of a token."`
	Anonymous  bool     `default:"false" negatable:"" group:"Who may connect" help:"Let clients in without a token, as anonymous users, even if there is a secret."`
	Origins    []string `group:"Who may connect" placeholder:"ORIGIN" help:"Pages that may connect besides the server's own, such as https://example.com; * stands for the beginning of a host (https://*.example.com) or for a port (http://localhost:*), and alone for all. Programs that are no browsers may always connect."`

	TrustedProxies  []string `group:"Who may connect" placeholder:"ADDRESS" help:"Addresses and networks (10.0.0.0/8) of the proxies in front of this server. Where a client comes from, and whether it uses TLS, is taken from what they say; limits by address need it."`
	ForwardedHeader string   `default:"X-Forwarded-For" enum:"X-Forwarded-For,Forwarded,X-Real-IP" group:"Who may connect" placeholder:"HEADER" help:"Header in which those proxies name the client: X-Forwarded-For, Forwarded or X-Real-IP. The proxies must set it, or add to it; no other is read."`

	Insecure bool `default:"false" group:"Who may connect" help:"Take tokens also over connections that are not encrypted and come from other machines. Whoever is on the way can read them."`

	Access string `group:"Who may do what" placeholder:"WORDS" help:"Who may do anything in rooms whose rule does not say who: words, with commas between them, of which one is enough: anyone, signed-in (with a token), role:NAME, grant (what the token grants), nobody. Left out, it is grant; but anyone while there is neither a secret nor a rule that says who may do what."`

	API      API       `embed:"" prefix:"api-" group:"Programs and administrators" help:"The HTTP API, under /api/: for programs, which show a key."`
	Webhooks []Webhook `kong:"-" env:"-" help:"A back end that decides events and is informed of them: a list of URLs, each with url, events, secret or secret_file, and, where it differs, timeout (3s), on_failure (deny), rooms, types and headers."`
	Traces   Traces    `embed:"" prefix:"traces-" group:"Programs and administrators" help:"Traces for OpenTelemetry, of requests to the API and of messages through all nodes."`
	Recorded int       `default:"65536" group:"Programs and administrators" placeholder:"N" help:"How many turning points in the lives of clients are kept in memory, to answer why a user did not get a message (wireroom why): about 25 MiB when it is full. At least 4096 are kept; 0 keeps none."`
	Admin    Admin     `embed:"" prefix:"admin-" group:"Programs and administrators" help:"The listener of administrators: the API with every scope, and metrics at /metrics."`

	Limits   Limits `embed:"" prefix:"limits-" group:"Limits" help:"What clients may do. 0 is no limit."`
	NoLimits bool   `default:"false" group:"Limits" help:"Switch every limit off. For measuring only: any client can then use up the server."`

	Log   Log    `embed:"" prefix:"log-" group:"Log" help:"What is logged, to standard error."`
	Rules []Rule `kong:"-" env:"-" help:"What holds for rooms, by their name. The first rule whose pattern matches holds. What a rule leaves out is as in the example, and so is what holds for rooms that no rule matches."`
}

// API is who may use the HTTP API.
type API struct {
	Keys []APIKey `kong:"-" env:"-" help:"Who may use it: a list of keys, each with name, key or key_file, scopes, and, if it is not for every room, rooms, a list of patterns. Scopes are publish, history, presence, rooms; and, on the listener of administrators only, connections, kick, block, revoke."`
}

// APIKey is a key of the HTTP API.
type APIKey struct {
	Name    string   `help:"Whose it is."`
	Key     Secret   `help:"The key, at least 16 bytes."`
	KeyFile string   `help:"File with the key, instead of the key itself."`
	Scopes  []string `help:"What it allows."`
	Rooms   []string `help:"Patterns of the rooms that it is for. Left out, it is for all of them."`
}

// Admin is the listener of administrators.
type Admin struct {
	Listen  string `default:"127.0.0.1:8090" placeholder:"ADDRESS" help:"Address and port that only administrators should reach; 'off' is none. It speaks TLS where the server does and this is no address of the machine itself. When the default one is taken, any free port is."`
	Key     Secret `kong:"-" help:"Key of administrators, at least 16 bytes, with every scope. Left out, one is made up at every start and printed. There is no flag for it, which everybody on the machine could see."`
	KeyFile string `placeholder:"FILE" help:"File with the key of administrators, instead of the key itself."`
}

// Traces is where traces go.
type Traces struct {
	Endpoint string  `placeholder:"URL" help:"Collector that takes OTLP over HTTP, such as http://127.0.0.1:4318. Left out, there are no traces, and they cost nothing."`
	Ratio    float64 `default:"0.01" placeholder:"N" help:"How many of the messages, and of the requests that do not say it themselves, are traced: from 0 to 1. Let it be the same on all nodes."`
}

// noListener is what switches Admin.Listen off.
const noListener = "off"

// Enabled reports whether there is such a listener.
func (a Admin) Enabled() bool { return a.Listen != noListener }

// SocketIO is how clients of Socket.IO are served.
type SocketIO struct {
	Paths      []string `default:"/socket.io/" placeholder:"PATH" help:"Paths of clients of Socket.IO, version 3 or 4. With an empty one there are none."`
	Namespaces []string `placeholder:"NAME" help:"Namespaces besides the main one, without slash. The rooms of a client in one have its name and a slash in front."`
	Recovery   bool     `default:"true" negatable:"" help:"Let clients of Socket.IO recover by their own means what they missed: every event then ends with an argument more, which says where the client stands."`
}

// Tokens is which tokens are taken, besides those that the secret signs.
type Tokens struct {
	Keys      []string `placeholder:"FILE" help:"Where keys are that verify tokens: files with public keys in PEM form or JSON Web Keys, or https URLs of JSON Web Key Sets, which are read again now and then. Each key is for one algorithm (RS256, ES256, EdDSA and others)."`
	Algorithm string   `placeholder:"NAME" help:"Algorithm of the keys in PEM form. Left out, it is RS256, ES256, ES384, ES512 or EdDSA, by the kind of the key."`
	Issuers   []string `placeholder:"NAME" help:"Who may issue tokens: iss of a token must be one of these. Left out, anyone may."`
	Audiences []string `placeholder:"NAME" help:"What tokens must be meant for: aud of a token must have one of these. Left out, it is not looked at."`
	Cookie    string   `placeholder:"NAME" help:"Cookie in which pages of the server's own origin may present a token. Left out, no cookie is looked at."`

	RequireExpiry bool          `default:"false" negatable:"" help:"Take only tokens that expire (exp)."`
	Refresh       time.Duration `default:"10m" placeholder:"DURATION" help:"Time after which key sets are read again, at least 30s."`

	UserClaim   string `default:"sub" placeholder:"NAME" help:"Claim that names the user. Dots lead into objects."`
	NameClaim   string `default:"name" placeholder:"NAME" help:"Claim with the display name."`
	RolesClaim  string `default:"roles" placeholder:"NAME" help:"Claim with the roles, which rules name: a list, or words with spaces between them."`
	GrantsClaim string `default:"grants" placeholder:"NAME" help:"Claim with the grants, a list such as [\"join,publish chat/*\", \"history **\"]."`
}

// Redis is what there is to say of a Redis server besides its URL.
type Redis struct {
	Password     Secret `kong:"-" help:"Password of the server, instead of one in the URL. There is no flag for it, which everybody on the machine could see."`
	PasswordFile string `placeholder:"FILE" help:"File with the password, instead of the password itself. A line end at its end does not count."`
	Prefix       string `default:"wireroom:" placeholder:"TEXT" help:"What the names of all keys and channels begin with. Nodes with the same one share their rooms."`
	Authorities  string `placeholder:"FILE" help:"File with the certificates of the authorities that may vouch for the server, in PEM form. Left out, it is the system's."`

	Timeout time.Duration `default:"3s" placeholder:"DURATION" help:"How long a publish or a read may take until the client is told to try again."`
}

// Limits are what clients may do. 0 is no limit.
type Limits struct {
	MaxMessage   Size    `default:"64KiB" placeholder:"SIZE" help:"Size of a message that a client sends. Without a limit it is 16MiB."`
	MaxParts     int     `default:"4096" placeholder:"N" help:"Frames in which such a message may come."`
	MaxRooms     int     `default:"128" placeholder:"N" help:"Rooms that a connection may be in at once."`
	PublishRate  float64 `default:"30" placeholder:"N" help:"Publishes, application messages and reads a second that a connection may make, on average."`
	PublishBurst int     `default:"120" placeholder:"N" help:"How many of them it may make at once."`
	JoinRate     float64 `default:"20" placeholder:"N" help:"Joins and leaves a second that a connection may make, on average. A token with a new name counts as a join of each of its rooms."`
	JoinBurst    int     `default:"256" placeholder:"N" help:"How many of them it may make at once."`
	ByteRate     Size    `default:"1MiB" placeholder:"SIZE" help:"How much a connection may send a second, on average. Each request counts 512 bytes besides its own."`
	ByteBurst    Size    `default:"16MiB" placeholder:"SIZE" help:"How much it may send at once."`
	PendingBytes Size    `default:"64KiB" placeholder:"SIZE" help:"How much of the replies to it a client may leave unread before it is closed. What it misses of rooms stays in their logs and does not count."`

	HandshakeTimeout time.Duration `default:"5s" placeholder:"DURATION" help:"How long a client may take to send the request with which it connects."`
	AuthTimeout      time.Duration `default:"10s" placeholder:"DURATION" help:"How long a client may be connected before it has said who it is."`
	AuthAttempts     int           `default:"5" placeholder:"N" help:"How often in a row a connection may present a token that is not taken, until it is closed."`

	Refusals    int           `default:"1000" placeholder:"N" help:"How often in a row a connection may be told that it is too fast, until it is closed."`
	BlockTime   time.Duration `default:"1m" placeholder:"DURATION" help:"How long a user or an address is refused whose connections had to be closed for that again and again."`
	PublishWait time.Duration `default:"1s" placeholder:"DURATION" help:"How long publishes may have to wait on this node. Beyond that some are refused (overloaded), so that the others need not."`
	Connections int           `default:"-1" placeholder:"N" help:"Connections at once; -1 is as many as the system lets this program have files open, but for a reserve."`

	User    UserLimits    `embed:"" prefix:"user-" help:"What one user may do, with all connections to this node, or to all nodes where limits.user.shared says so."`
	Address AddressLimits `embed:"" prefix:"address-" help:"What may come from one address, or from one IPv6 network of 64 bits. It does not hold for this machine's own addresses. Behind a proxy, trusted_proxies has to be set, or all clients have one address."`
}

// UserLimits are what one user may do. 0 is no limit.
type UserLimits struct {
	Factor       int     `default:"4" placeholder:"N" help:"How many times what one connection may publish and send all of a user's may together."`
	Connections  int     `default:"128" placeholder:"N" help:"Connections at once."`
	ConnectRate  float64 `default:"10" placeholder:"N" help:"New connections a second, on average."`
	ConnectBurst int     `default:"256" placeholder:"N" help:"How many of them at once."`
	Shared       bool    `default:"false" negatable:"" help:"Have these limits hold for all nodes of an engine together, instead of each by itself."`
}

// AddressLimits are what may come from one address. 0 is no limit.
type AddressLimits struct {
	Connections  int     `default:"2000" placeholder:"N" help:"Connections at once."`
	ConnectRate  float64 `default:"50" placeholder:"N" help:"New connections a second, on average."`
	ConnectBurst int     `default:"500" placeholder:"N" help:"How many of them at once."`
	RequestRate  float64 `default:"100" placeholder:"N" help:"Requests over HTTP a second, on average."`
	RequestBurst int     `default:"1000" placeholder:"N" help:"How many of them at once."`
	FailureRate  float64 `default:"1" placeholder:"N" help:"Tokens a second that are not taken, on average."`
	FailureBurst int     `default:"60" placeholder:"N" help:"How many of them at once."`
}

// Log is what is logged.
type Log struct {
	Level  string `default:"info" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"Least important lines to log: debug, info, warn or error."`
	Format string `default:"text" enum:"text,json" placeholder:"FORMAT" help:"Form of the lines: text or json."`
}

// Rule is what holds for the rooms whose name matches a pattern.
type Rule struct {
	Pattern       string        `help:"Names of rooms: * is any run of bytes other than / and :, ** any run of bytes."`
	History       History       `help:"What a room keeps. A message leaves when any bound is passed, the oldest first."`
	Delivery      string        `default:"every" enum:"every,latest" help:"What a member gets that fell far behind: every message, or the latest one of each event only."`
	Presence      bool          `default:"true" help:"Tell members who is there, if they ask."`
	Allow         Allow         `help:"Who may do what, each in words as of access above, and besides: members (of the room), owner (of an inbox). What is left out is as access says. Of an inbox, whose name begins with @, nobody but its owner may do anything save publish."`
	Content       Content       `help:"What clients may publish. What is beyond it gets invalid_data."`
	FlushInterval time.Duration `default:"0s" help:"Gather messages for so long (at most 1s) before they are delivered; 0s delivers at once."`
}

// Allow is who may do what in a room.
type Allow struct {
	Join     string `help:"Become a member."`
	Publish  string `help:"Publish. Left out, anyone may publish to inboxes."`
	Presence string `help:"See who is there."`
	History  string `help:"Read what was published before. Coming back to where one was is joining."`
}

// Content is what clients may publish in a room.
type Content struct {
	MaxBytes      Size   `default:"0" help:"Size of the data, or of a binary payload; 0 is as much as limits.max_message allows."`
	MaxCharacters int    `default:"0" help:"Length of the text, which is data that is a string, or the member text of data that is an object; 0 is no bound."`
	MaxTextBytes  Size   `default:"0" help:"Size of the text in UTF-8; 0 is no bound."`
	Schema        string `help:"File with a JSON Schema that the data must follow. All of it is in that file: nothing else is loaded."`
}

// History is what a room keeps.
type History struct {
	Messages int           `default:"1000" help:"How many messages; 0 keeps none."`
	Bytes    Size          `default:"4MiB" help:"How much memory; 0 is no bound."`
	Age      time.Duration `default:"24h" help:"How old they may be; 0s is no bound."`
}

// Default returns the configuration in which nothing was set.
func Default() Config {
	var c Config
	setDefaults(&c)
	return c
}

// DefaultRule returns a rule in which nothing was set.
func DefaultRule() Rule {
	var r Rule
	setDefaults(&r)
	return r
}

// HasTokens reports whether there is any way to check a token.
func (c *Config) HasTokens() bool { return c.Secret != "" || len(c.Tokens.Keys) > 0 }

// ActiveLimits returns the limits that hold: none with NoLimits.
func (c *Config) ActiveLimits() Limits {
	if c.NoLimits {
		return Limits{}
	}
	return c.Limits
}
