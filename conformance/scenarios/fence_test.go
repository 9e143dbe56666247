package scenarios

import (
	"context"
	"fmt"
	"strings"

	"github.com/wireroom/wireroom/conformance/scenarios/stage"
	"github.com/wireroom/wireroom/protocol"
)

// fence has the application say something in all rooms, and returns when everybody who is there has got it: what has not
// come by then was not sent.
func (p *play) fence() error {
	if p.stage.Server == nil || len(p.apps) > 0 { // it is elsewhere, or has ended
		return nil
	}
	said := make(map[string]bool)
	for _, one := range p.persons {
		one.mail.release()
		for room := range one.rooms {
			if said[room] {
				continue
			}
			said[room] = true
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			err := p.stage.Do(ctx, &stage.Act{App: "fence", Room: room})
			cancel()
			if err != nil {
				return err
			}
		}
	}
	for _, one := range p.persons {
		for room := range one.rooms {
			_, _, err := one.mail.take(func(a *arrival) bool {
				return a.head.Type == protocol.TypeMessage && a.head.Room == room && strings.Contains(string(a.text), `"data":"`+stage.Fence+`"`)
			})
			if err != nil {
				return fmt.Errorf("%s waits for the last message of %s: %w", one.name, room, err)
			}
		}
	}
	return nil
}
