package cluster_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wireroom/wireroom"
	"github.com/wireroom/wireroom/test/redistest"
)

// BenchmarkKeptOut measures how long it takes until a client of one node hears of what another one is told, from the call
// on: one at a time, and as soon after one another as clients connect.
func BenchmarkKeptOut(b *testing.B) {
	all := nodes(b, redistest.Start(b), 2)
	for _, row := range []struct {
		what string
		do   func(ctx context.Context, user string) error
	}{
		{"kick", func(ctx context.Context, user string) error { return all[0].Kick(ctx, "general", user, "", time.Hour) }},
		{"block", func(ctx context.Context, user string) error { return all[0].Block(ctx, user, "", time.Hour) }},
		{"revoke", func(ctx context.Context, user string) error {
			return all[0].Revoke(ctx, wireroom.Revocation{TokenID: "token-" + user})
		}},
	} {
		for how, pause := range map[string]time.Duration{"alone": time.Second, "many": 0} {
			b.Run(row.what+"/"+how, func(b *testing.B) {
				var took []time.Duration
				for i := range b.N {
					user := fmt.Sprint(row.what, how, b.N, "-", i)
					p := all[1].connect(user)
					m := p.join("general", nil)
					time.Sleep(pause)
					began := time.Now()
					if err := row.do(b.Context(), user); err != nil {
						b.Fatal(err)
					}
					m.ends()
					took = append(took, time.Since(began))
					_ = p.Close()
				}
				slices.Sort(took)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(took[len(took)/2].Seconds()*1000, "ms-median")
				b.ReportMetric(took[len(took)-1].Seconds()*1000, "ms-slowest")
			})
		}
	}
}
