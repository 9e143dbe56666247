package bench

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"time"
)

// Orders to a worker.
const (
	orderConnect = "connect" // begin to connect
	orderStart   = "start"   // begin to publish
	orderMeasure = "measure" // what is due from now on is measured
	orderEnough  = "enough"  // what is due from now on is not
	orderStop    = "stop"    // publish no more
	orderCount   = "count"
	orderEnd     = "end" // say how it ended
)

// command is what a worker is told to do.
type command struct {
	Order  string
	Length int64 // of what is measured, in nanoseconds
}

// answer is what a worker says to any order.
type answer struct {
	Counts Counts
	Placed int      // clients that are where they are to be, or have given up
	Times  [][]byte // of what is measured, since the last answer
	Beside [][]byte // of the rest
	Ending *Ending
	Usage  usage // of the worker's process: all of its CPU, and the memory since before it was a worker
}

// obey does what a worker is told to do. It does not wait.
func (w *worker) obey(c command) answer {
	if c.Order == orderStart {
		debug.FreeOSMemory() // what connecting has left, several times what connections need
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var a answer
	switch c.Order {
	case orderConnect:
		w.dialer.ramp(w.options.Ramp * float64(w.share.Count) / float64(w.options.Connections))
	case orderStart:
		w.pacer.begin(w.clock.now(), c.Length)
	case orderMeasure:
		w.times.begin(w.clock.now())
	case orderEnough:
		w.times.end(w.clock.now())
	case orderStop:
		w.pacer.stop()
	case orderEnd:
		w.pacer.over = true
		a.Ending = w.ending()
	}
	for i := range w.clients {
		if w.clients[i].joined || w.clients[i].failed {
			a.Placed++
		}
	}
	a.Counts, a.Times, a.Beside, a.Usage = w.counts.clone(), w.times.measured.take(), w.times.beside.take(), usageOf(os.Getpid())
	a.Usage.Memory = max(0, a.Usage.Memory-w.own.Memory)
	return a
}

// hand is a worker, wherever it is.
type hand interface {
	do(c command) (answer, error)
	close(ctx context.Context) error
}

// near is a worker in this process.
type near struct{ worker *worker }

func (n near) do(c command) (answer, error) { return n.worker.obey(c), nil }

func (n near) close(ctx context.Context) error { return n.worker.close(ctx) }

// far is a worker in a process of its own, which is told what to do on its standard input.
type far struct {
	process *exec.Cmd
	in      io.WriteCloser
	orders  *gob.Encoder
	answers *gob.Decoder
}

// newFar starts a worker in a process: args of this program call Serve.
func newFar(args []string, s Share) (*far, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f := &far{process: exec.Command(program, args...)}
	f.process.Stderr = os.Stderr
	f.process.SysProcAttr = ownGroup() // Ctrl-C is for this process, which then asks for what there is
	if f.in, err = f.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := f.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := f.process.Start(); err != nil {
		return nil, err
	}
	f.orders, f.answers = gob.NewEncoder(f.in), gob.NewDecoder(out)
	if err := f.orders.Encode(s); err != nil {
		return nil, fmt.Errorf("a worker's process: %w", errors.Join(err, f.close(context.Background())))
	}
	return f, nil
}

func (f *far) do(c command) (a answer, err error) {
	if err = f.orders.Encode(c); err == nil {
		err = f.answers.Decode(&a)
	}
	if err != nil {
		return a, fmt.Errorf("a worker's process does not answer: %w", err)
	}
	return a, nil
}

// close ends the process. One that takes its time to close many connections is killed, which closes them as well.
func (f *far) close(ctx context.Context) error {
	_ = f.in.Close() // the worker ends with its input
	stop := context.AfterFunc(ctx, func() { _ = f.process.Process.Kill() })
	defer stop()
	if err := f.process.Wait(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("a worker's process: %w", err)
	}
	return nil
}

// Serve is a worker's process: it reads a Share and then orders, and answers them, until the input ends.
func Serve(in io.Reader, out io.Writer) error {
	orders, answers := gob.NewDecoder(in), gob.NewEncoder(out)
	var s Share
	if err := orders.Decode(&s); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	descriptors()
	w, err := newWorker(s)
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	for {
		var c command
		if err := orders.Decode(&c); err != nil {
			break // the other side has ended, one way or the other
		}
		if err := answers.Encode(w.obey(c)); err != nil {
			break
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := w.close(ctx); ctx.Err() == nil {
		return err
	}
	return nil // what is open still ends with the process
}

// closeTimeout is how long a worker may take to close its connections.
const closeTimeout = 10 * time.Second
