package engine

import (
	"context"
	"time"
)

// Accounts is the trait of an engine that adds up what one user spends on all of its nodes.
type Accounts interface {
	// Settle adds what was spent on this node to what was spent on all, and returns how the users stand then, in their
	// order. Callers ask for at most MaxSettled users. An error tells that nothing, or only a part of it, was added up.
	Settle(ctx context.Context, spent []Spending) ([]Standing, error)
}

// MaxSettled bounds the users of one call of Settle.
const MaxSettled = 1000

// Expense is a kind of what users spend.
type Expense int

// The kinds of expenses.
const (
	ExpenseConnects Expense = iota // connections begun
	ExpenseMessages
	ExpenseBytes
	Expenses // how many kinds there are
)

// Spending is what a user has spent on this node since it was settled last, in the time that it takes to come back at the
// rate that the user is allowed.
type Spending struct {
	User        string
	Costs       [Expenses]time.Duration
	Most        [Expenses]time.Duration // that may be outstanding: what is spent beyond it is forgotten
	Connections int                     // to this node, now
}

// Standing is how a user stands on all nodes.
type Standing struct {
	Outstanding [Expenses]time.Duration // until everything has come back
	Elsewhere   int                     // connections to other nodes that live, as they said last
}
