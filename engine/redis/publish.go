package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/protocol"
)

// errScript reports an answer that the scripts do not give.
var errScript = errors.New("an answer that cannot be read")

// Publish implements engine.Engine. A message that was not sent to the server within the timeout is refused with
// engine.ErrUnavailable; one that was sent and not answered has an unknown outcome, engine.ErrTimeout.
func (e *Engine) Publish(_ context.Context, p *engine.Publication, done func(engine.Receipt, error)) {
	room := p.Message.Room
	answer := func(r engine.Receipt, err error) {
		if err != nil {
			err = fmt.Errorf("redis: publish %q: %w", room, err)
		}
		done(r, err)
	}
	if err := e.begin(); err != nil {
		answer(engine.Receipt{}, err)
		return
	}
	j := &job{publication: p, deadline: time.Now().Add(e.options.Timeout), done: func(r engine.Receipt, err error) {
		answer(r, err)
		e.end()
	}}
	if !p.Ephemeral {
		p.Message.ID = protocol.NewMessageID()
	}
	if !e.lane(room).add(j) {
		j.done(engine.Receipt{}, fmt.Errorf("%w: too many messages wait for the server", engine.ErrOverloaded))
	}
}

// job is a publish that waits in a lane.
type job struct {
	publication *engine.Publication
	deadline    time.Time // it is not sent any later
	keyed       bool      // the owner's quota was taken for it
	done        func(engine.Receipt, error)
}

// command makes the command that publishes j's message.
func (e *Engine) command(j *job) rueidis.Completed {
	p := j.publication
	m := p.Message
	body := rueidis.BinaryString(appendBody(make([]byte, 0, 64+m.Size()), m))
	if p.Ephemeral {
		keys := e.names.kept(m.Room)[:1]
		return e.scripts.pass.run(e.client, keys, body, e.names.channel(m.Room), e.publishCommand())
	}
	keys := e.names.kept(m.Room)
	mode, sequence, may, life := "", "0", "1", engine.KeyWindow
	switch {
	case p.Producer != "":
		mode, sequence = "p", strconv.FormatUint(p.Seq, 10)
		keys = append(keys, e.names.producer(m.Room, p.Producer))
		life = producerLife(p.Retention)
		j.keyed = p.Seq == 1
	case m.Key != "":
		mode = "k"
		keys = append(keys, e.names.key(m.Room, p.Owner, m.Key))
		j.keyed = true
	}
	if j.keyed && !e.quota.take(p.Owner) {
		j.keyed, may = false, "0"
	}
	r := p.Retention
	return e.scripts.publish.run(e.client, keys,
		epochText(protocol.NewEpoch()), decimal(m.ID>>32), decimal(m.ID&(1<<32-1)), body, strconv.Itoa(m.Size()),
		strconv.Itoa(max(r.Messages, 0)), strconv.FormatInt(r.Bytes, 10), milliseconds(r.Age), flag(r.Latest),
		milliseconds(roomLife(r)), e.names.channel(m.Room), e.publishCommand(), m.Event,
		mode, sequence, may, milliseconds(life))
}

// publishCommand is the command that publishes: in a cluster to those alone who are connected to the room's server.
func (e *Engine) publishCommand() string {
	if e.cluster {
		return "SPUBLISH"
	}
	return "PUBLISH"
}

// roomLife returns how long the server keeps a room after its last publish; 0 is for ever, where a message is kept
// however old it is.
func roomLife(r engine.Retention) time.Duration {
	if r.Latest || r.Messages > 0 && r.Age == 0 {
		return 0
	}
	return max(engine.RoomLife, r.Age+engine.RoomSlack)
}

// producerLife returns how long a producer is known after its last publish: as long as what it published is kept.
func producerLife(r engine.Retention) time.Duration {
	if r.Messages > 0 && r.Age == 0 {
		return engine.RoomLife
	}
	return max(engine.KeyWindow, r.Age)
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// finish answers j with what the server said.
func (e *Engine) finish(j *job, result rueidis.RedisResult) {
	p := j.publication
	receipt, err := e.receipt(j, result)
	if j.keyed {
		unsure := errors.Is(err, engine.ErrTimeout)
		if unsure || err == nil && !receipt.Duplicate {
			e.quota.keep(p.Owner)
		} else {
			e.quota.drop(p.Owner)
		}
	}
	j.done(receipt, err)
}

// receipt reads what the server answered to a publish.
func (e *Engine) receipt(j *job, result rueidis.RedisResult) (engine.Receipt, error) {
	text, err := result.ToString()
	if err != nil {
		return engine.Receipt{}, failure(err, engine.ErrTimeout)
	}
	switch text {
	case "o":
		return engine.Receipt{}, engine.ErrOutOfOrder
	case "q":
		return engine.Receipt{}, engine.ErrTooManyKeys
	case "d": // so long ago that nobody knows where
		return engine.Receipt{Duplicate: true}, nil
	case "":
		return engine.Receipt{}, errScript
	}
	s, err := decodeStamp(text[1:])
	if err != nil {
		return engine.Receipt{}, errScript
	}
	receipt := engine.Receipt{Position: s.position, Time: s.time, Duplicate: text[0] == 'd'}
	if !receipt.Duplicate {
		m := j.publication.Message
		m.Position, m.Time = s.position, s.time
	}
	return receipt, nil
}
