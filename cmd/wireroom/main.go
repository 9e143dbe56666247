// Command wireroom is the server and its tools in one binary.
//
//	wireroom serve                 serve on http://127.0.0.1:8080, with a chat page to try
//	wireroom sub general           print what is published in a room
//	wireroom pub general "hello"   publish in a room
//	wireroom chat general          chat in a room
//	wireroom why ana general 5m    say why ana did not get what was published in general 5 minutes ago
//	wireroom bench fan-out         put load on a server and measure it
//	wireroom log inspect DIR       say what is kept in the directory of --data, and what is damaged
//	wireroom doctor                say what of this machine would trouble a server
//	wireroom config init           print a configuration file with every setting explained
//
// `wireroom COMMAND --help` says more. The exit status is 0 when all went well, also for a command that runs until it
// is told to stop; 1 when it failed; 2 when the command line is wrong; 3 when the configuration is wrong; 4 when the
// server cannot be reached; 5 when the server refused.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
)

// commands is the command line.
type commands struct {
	Serve   serveCommand       `cmd:"" help:"Serve clients, until told to stop. Without arguments it is ready to be tried on this machine."`
	Pub     pubCommand         `cmd:"" help:"Publish in a room."`
	Sub     subCommand         `cmd:"" help:"Print what happens in a room, one JSON object a line, until told to stop."`
	Chat    chatCommand        `cmd:"" help:"Chat in a room."`
	Why     whyCommand         `cmd:"" help:"Say why a user did not get a message."`
	Bench   benchCommand       `cmd:"" help:"Put load on a server, and measure it."`
	Worker  benchWorkerCommand `cmd:"" name:"bench-worker" hidden:"" help:"A process of bench."`
	Token   tokenCommands      `cmd:"" help:"Make and check tokens, and the keys that sign them."`
	Config  configCommands     `cmd:"" help:"Write, show and check configurations."`
	Doctor  doctorCommand      `cmd:"" help:"Look at this machine and the configuration for what would trouble a server, and say what to do. Exit status 1 when something will not do."`
	Log     logCommands        `cmd:"" help:"Inspect and repair the messages in a directory of 'serve --data'."`
	Version versionCommand     `cmd:"" help:"Print the version."`
}

const about = `Real-time rooms over WebSocket.

Exit status: 0 all went well; 1 it failed; 2 the command line is wrong; 3 the configuration is wrong; 4 the server cannot be reached; 5 the server refused.`

// program is what the commands see of the process that they run in.
type program struct {
	in      io.Reader
	out     io.Writer // what was asked for
	err     io.Writer // everything else
	environ []string
}

func main() {
	p := &program{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()}
	os.Exit(p.run(os.Args[1:]))
}

// run runs one command and returns the exit status.
func (p *program) run(args []string) int {
	status := -1
	parser, err := kong.New(&commands{},
		kong.Name("wireroom"), kong.Description(about), kong.Writers(p.out, p.err),
		kong.Exit(func(int) { status = exitDone }), // after --help
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.ValueFormatter(formatHelp),
	)
	if err != nil {
		return p.failed(fmt.Errorf("the command line cannot be read: %w", err))
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if status >= 0 {
		return status
	}
	if err != nil {
		return p.failed(usage(err))
	}
	parsed.BindTo(context.Background(), (*context.Context)(nil))
	return p.failed(parsed.Run(p))
}

// failed reports why a command failed and returns the exit status; with no error, it says nothing and all went well.
func (p *program) failed(err error) int {
	if err == nil {
		return exitDone
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{status: exitFailed, err: err}
	}
	fmt.Fprintln(p.err, "wireroom:", err)
	if f.advice != "" {
		fmt.Fprintln(p.err, "  "+f.advice)
	}
	return f.status
}

// usage returns the error of a command line that is wrong.
func usage(err error) error {
	command := "wireroom"
	var wrong *kong.ParseError
	if errors.As(err, &wrong) && wrong.Context.Command() != "" {
		command = wrong.Context.Selected().FullPath()
	}
	return &failure{status: exitUsage, err: err, advice: fmt.Sprintf("`%s --help` says what there is.", command)}
}
