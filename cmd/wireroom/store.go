package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wireroom/wireroom/engine/disk"
)

// logCommands are the commands about the messages on disk.
type logCommands struct {
	Inspect logInspectCommand `cmd:"" help:"Say which rooms are kept, with their messages, bytes and positions, and what is damaged. Nothing is written. Exit status 1 when something is damaged."`
	Repair  logRepairCommand  `cmd:"" help:"Drop what is damaged, so that the server starts and every room can be used. Rooms that lost something get a new epoch; their clients are told. The store as it was is kept beside."`
}

// messagesDir returns the store's directory, given that of --data or the store's own.
func messagesDir(dir string) string {
	inside := filepath.Join(dir, messagesName)
	if info, err := os.Stat(inside); err == nil && info.IsDir() {
		return inside
	}
	return dir
}

// storeFailure is why a store cannot be inspected or repaired.
func storeFailure(err error) error {
	f := &failure{status: exitFailed, err: err}
	switch {
	case errors.Is(err, disk.ErrInUse):
		f.advice = "Stop the server first."
	case errors.Is(err, disk.ErrUnreadable):
		f.advice = "Restore a backup, or begin an empty store with --start-over: every client is told that its history is gone."
	case errors.Is(err, fs.ErrNotExist):
		f.advice = "Give the directory of 'wireroom serve --data'."
	}
	return f
}

type logInspectCommand struct {
	Dir  string `arg:"" help:"The directory of 'serve --data'."`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

// Run prints what the store has.
func (c *logInspectCommand) Run(p *program) error {
	report, err := disk.Inspect(nil, messagesDir(c.Dir))
	if err != nil {
		return storeFailure(err)
	}
	if c.JSON {
		err = printJSON(p.out, report)
	} else {
		err = printReport(p.out, report)
	}
	if err == nil && !report.Whole() {
		return &failure{status: exitFailed, err: errors.New("the store is damaged"), advice: "`wireroom log repair --dry-run` says what a repair would do."}
	}
	return err
}

type logRepairCommand struct {
	Dir       string `arg:"" help:"The directory of 'serve --data'."`
	DryRun    bool   `help:"Say what would be done, and write nothing."`
	StartOver bool   `help:"Begin an empty store where nothing can be told of the rooms."`
	JSON      bool   `name:"json" help:"Print one JSON object."`
}

// Run repairs the store.
func (c *logRepairCommand) Run(p *program) error {
	done, err := disk.Repair(disk.RepairOptions{
		Dir: messagesDir(c.Dir), DryRun: c.DryRun, StartOver: c.StartOver,
		Aside: "before-repair-" + time.Now().UTC().Format("20060102T150405.000Z"),
	})
	if err != nil {
		return storeFailure(err)
	}
	if c.JSON {
		return printJSON(p.out, done)
	}
	return printRepaired(p.out, done, c.DryRun)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printReport prints a table of the rooms, and the damage.
func printReport(out io.Writer, r *disk.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROOM\tMESSAGES\tBYTES\tFROM\tHEAD\tDAMAGE")
	for _, room := range r.Rooms {
		fmt.Fprintf(w, "%s\t%d\t%d\t%v\t%v\t%s\n", room.Room, room.Messages, room.Bytes, room.Start, room.Head, room.Damage)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d rooms, %d messages, %d bytes in %s\n", len(r.Rooms), r.Messages, r.Bytes, r.Dir)
	return printDamage(out, r)
}

func printDamage(out io.Writer, r *disk.Report) error {
	for _, d := range r.Damage {
		place := "damage: "
		if d.File != "" {
			place += d.File + ": "
		}
		if d.Offset > 0 {
			place += fmt.Sprintf("offset %d: ", d.Offset)
		}
		if len(d.Rooms) > 0 {
			place += strings.Join(d.Rooms, ", ") + ": "
		}
		fmt.Fprintln(out, place+d.Error)
	}
	return nil
}

// printRepaired says what a repair did, or would do.
func printRepaired(out io.Writer, done *disk.Repaired, dry bool) error {
	if done.Whole() {
		_, err := fmt.Fprintln(out, "nothing is damaged; nothing was done")
		return err
	}
	if err := printDamage(out, &done.Report); err != nil {
		return err
	}
	verb := "got"
	if dry {
		verb = "would get"
	}
	for _, room := range done.Renewed {
		fmt.Fprintf(out, "room %s %s a new epoch, with %d messages, %v to %v\n", room.Room, verb, room.Messages, room.Start, room.Head)
	}
	switch {
	case done.StartedOver && dry:
		fmt.Fprintln(out, "the store would begin anew, empty")
	case done.StartedOver:
		fmt.Fprintln(out, "the store begins anew, empty")
	default:
		fmt.Fprintf(out, "%d of %d rooms stay as they are\n", len(done.Rooms)-len(done.Renewed), len(done.Rooms))
	}
	if !dry {
		fmt.Fprintf(out, "the store as it was is kept in %s; delete it when nothing is missed\n", done.Aside)
	}
	return nil
}
