package client

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/protocol"
)

func TestEnvelopesOfTheApplicationsOwnTypes(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{RoomBuffer: 3})
		for i := range 5 {
			p.send(fmt.Sprintf(`{"type":"news","data":{"n": %d}}`, i))
		}
		synctest.Wait()
		for i := range 3 {
			e, err := c.NextCustom(t.Context())
			if err != nil || e.Kind != "news" || string(e.Data) != fmt.Sprintf(`{"n": %d}`, i) {
				t.Errorf("%d: %+v, %v", i, e, err)
			}
		}
		waiting := later(func() (*protocol.Custom, error) { return c.NextCustom(t.Context()) })
		if waiting.returned() {
			t.Error("what there was no place for was kept")
		}
		p.send(`{"type":"bare"}`)
		if e := waiting.must(t); e.Kind != "bare" || e.Data != nil {
			t.Errorf("%+v", e)
		}
		p.send(`{"type":"one"}`)
		p.send(`{"type":"two"}`)
		synctest.Wait()
		<-c.customs.ready // as a reader that had found nothing just before, and then takes one only
		_, _ = c.popCustom()
		if e, err := c.NextCustom(t.Context()); err != nil || e.Kind != "two" || len(c.customs.ready) != 1 {
			t.Errorf("%+v, %v; the next reader is woken %d times", e, err, len(c.customs.ready))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.NextCustom(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("NextCustom returned %v", err)
		}
		var readers []*outcome[*protocol.Custom]
		for range 3 {
			readers = append(readers, later(func() (*protocol.Custom, error) { return c.NextCustom(t.Context()) }))
		}
		synctest.Wait()
		p.cut()
		_ = c.Close()
		for _, r := range readers {
			if _, err := r.wait(); !errors.Is(err, ErrClosed) {
				t.Errorf("NextCustom returned %v", err)
			}
		}
	})
}
