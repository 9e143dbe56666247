package config

import (
	"slices"
	"strings"
)

// guessKey returns the key that a user who wrote another one may have meant: one of known that is written nearly the
// same, or the full key of a setting elsewhere; "" for no guess.
func guessKey(key string, known []string) string {
	key = strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(key))
	if near := nearest(key, known); near != "" {
		return near
	}
	for _, s := range Settings() {
		if s.Key == key || strings.HasSuffix(s.Key, "."+key) {
			return s.Key
		}
	}
	return ""
}

// nearest returns the one of known with the smallest distance to key, if that is at most a third of the key's length,
// but at least 1; "" if there is none.
func nearest(key string, known []string) string {
	found, least := "", max(1, len(key)/3)+1
	for _, candidate := range known {
		if d := distance(key, candidate); d < least {
			found, least = candidate, d
		}
	}
	return found
}

// distance returns how many bytes have to be put in, taken out, exchanged, or swapped with their neighbour to make b
// of a (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			costs := []int{rows[i-1][j] + 1, rows[i][j-1] + 1, rows[i-1][j-1] + 1}
			if a[i-1] == b[j-1] {
				costs = append(costs, rows[i-1][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				costs = append(costs, rows[i-2][j-2]+1)
			}
			rows[i][j] = slices.Min(costs)
		}
	}
	return rows[len(a)][len(b)]
}
