package session

import (
	"github.com/wireroom/wireroom/engine"
	"github.com/wireroom/wireroom/internal/metrics"
	"github.com/wireroom/wireroom/protocol"
)

// requestMetric returns where requests of a kind are counted.
func requestMetric(k protocol.Kind) metrics.ID {
	switch k {
	case protocol.KindPublish:
		return metrics.RequestsPublish
	case protocol.KindJoin:
		return metrics.RequestsJoin
	case protocol.KindLeave:
		return metrics.RequestsLeave
	case protocol.KindHistory, protocol.KindPresence:
		return metrics.RequestsRead
	}
	return metrics.RequestsOther
}

// metric returns where sessions are counted that ended so.
func (e Ended) metric() metrics.ID {
	const abnormal, noStatus = 1006, 1005
	switch e.Code {
	case protocol.CloseNormal, protocol.CloseGoingAway, noStatus:
		return metrics.ClosedByClient
	case abnormal:
		return metrics.ClosedLost
	case protocol.CloseDraining:
		return metrics.ClosedDraining
	case protocol.CloseUnauthorized, protocol.CloseTokenExpired:
		return metrics.ClosedUnauthorized
	case protocol.CloseForbidden:
		return metrics.ClosedForbidden
	case protocol.CloseSlowConsumer:
		return metrics.ClosedSlowConsumer
	case protocol.CloseRateLimited:
		return metrics.ClosedTooFast
	}
	return metrics.ClosedOther
}

// Begun notes that a publish begins and returns when, for Count, which follows; 0 where nothing has to be waited for.
func (n *Node) Begun() int64 {
	if n.inline {
		return 0
	}
	now := max(n.clock(), 1)
	n.admission.engine.begin(now)
	return now
}

// Count counts a publish of a message of some bytes that Begun began.
func (n *Node) Count(begun int64, size int, receipt engine.Receipt, err error) {
	if begun != 0 {
		now := n.clock()
		n.Metrics.Observe(metrics.PublishTime, now-begun)
		n.admission.engine.end(begun, now)
	}
	switch {
	case err != nil:
		n.Metrics.Add(metrics.PublishedFailed, 1)
		return
	case receipt.Duplicate:
		n.Metrics.Add(metrics.PublishedDuplicate, 1)
		return
	case receipt.Position.IsZero():
		n.Metrics.Add(metrics.PublishedEphemeral, 1)
	default:
		n.Metrics.Add(metrics.PublishedStored, 1)
	}
	n.Metrics.Observe(metrics.MessageSize, int64(size))
}

// Gauge brings the numbers up to date that are not counted as they change.
func (n *Node) Gauge() {
	sessions, users := n.Counts()
	n.Metrics.Put(metrics.Sessions, int64(sessions))
	n.Metrics.Put(metrics.Users, int64(users))
	n.Metrics.Put(metrics.Rooms, int64(n.Hub.Count()))
	n.Metrics.Put(metrics.EngineUp, 0)
	if !n.bans.stale() && (n.Health == nil || n.Health() == nil) {
		n.Metrics.Put(metrics.EngineUp, 1)
	}
}
