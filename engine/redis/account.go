package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/wireroom/wireroom/engine"
)

// Settle implements engine.Accounts: a script a user, all in one pipeline. What is not told of again for ten minutes, or a
// day where there are connections, is forgotten.
func (e *Engine) Settle(ctx context.Context, spent []engine.Spending) ([]engine.Standing, error) {
	if err := e.begin(); err != nil {
		return nil, fmt.Errorf("redis: settle: %w", err)
	}
	defer e.end()
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	living := strings.Join(e.lease.others(), " ")
	keys := make([][]string, len(spent))
	arguments := make([][]string, len(spent))
	for i := range spent {
		keys[i] = []string{e.names.account(spent[i].User)}
		arguments[i] = append([]string{e.lease.node, strconv.Itoa(spent[i].Connections), living}, costs(&spent[i])...)
	}
	standings := make([]engine.Standing, len(spent))
	for i, result := range e.doEach(ctx, e.scripts.account, keys, arguments) {
		var err error
		if standings[i], err = standing(result); err != nil {
			return nil, fmt.Errorf("redis: settle: %w", failure(err, engine.ErrTimeout))
		}
	}
	return standings, nil
}

// costs are what was spent and the most that may be outstanding, in microseconds, by kind.
func costs(s *engine.Spending) []string {
	words := make([]string, 0, 2*len(s.Costs))
	for kind, cost := range s.Costs {
		words = append(words, microseconds(cost), microseconds(s.Most[kind]))
	}
	return words
}

func microseconds(d time.Duration) string { return strconv.FormatInt(max(d, 0).Microseconds(), 10) }

// standing reads the script's answer.
func standing(result rueidis.RedisResult) (engine.Standing, error) {
	var s engine.Standing
	numbers, err := result.AsIntSlice()
	if err != nil {
		return s, err
	}
	if len(numbers) != len(s.Outstanding)+1 {
		return s, errScript
	}
	for kind := range s.Outstanding {
		s.Outstanding[kind] = time.Duration(numbers[kind]) * time.Microsecond
	}
	s.Elsewhere = int(numbers[len(s.Outstanding)])
	return s, nil
}
