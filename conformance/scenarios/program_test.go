package scenarios

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// serveProgram starts a program wireroom with the configuration of the scenarios. It returns its address, and what
// ends it.
func serveProgram(program string) (address string, end func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program, "serve", "--config", "stage/wireroom.yaml", "--listen", "127.0.0.1:0")
	command.Stderr = os.Stderr
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	out, err := command.StdoutPipe()
	if err != nil {
		cancel()
		return "", nil, err
	}
	if err := command.Start(); err != nil {
		cancel()
		return "", nil, err
	}
	end = func() {
		cancel()
		_ = command.Wait() // it was told to end
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) == 2 && words[0] == "WebSocket" {
			return "http" + strings.TrimSuffix(strings.TrimPrefix(words[1], "ws"), "/ws"), end, nil
		}
	}
	end()
	return "", nil, fmt.Errorf("%s does not say where it is", program)
}
