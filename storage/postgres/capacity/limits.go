package main

import (
	"cmp"
	"slices"
)

// A Limit is what a server, or an org, has to give.
type Limit struct {
	Name   string
	Share  float64 // of it that is needed
	Remedy string
}

// A Server is what the limits are taken from.
type Server struct {
	Memory     float64 // bytes
	Conns      int     // max_connections
	Checkpoint float64 // bytes of WAL after which a checkpoint comes early
}

const (
	checkpointTimeout  = 5 * 60 // seconds, as PostgreSQL comes
	checkpointDistance = 1.9    // max_wal_size over the WAL that brings a checkpoint: 1 + checkpoint_completion_target
)

// limits returns what breaks first, in that order.
func (n Need) limits(l Load, s Server) []Limit {
	all := []Limit{
		{"commits", n.commits() / commits16, "fewer processes, slower schedules, a faster disk; then several databases by environment"},
		{"reads", n.reads() / gets16, "fewer consumers, in fewer processes; then several databases by environment"},
		{"rows", n.rows() / heads1, "slower schedules for the large types, audits read less often; then several databases by environment"},
		{"WAL", n.WAL * checkpointTimeout / s.Checkpoint, "raise max_wal_size; slower schedules"},
		{"memory", n.Hot / s.Memory, "more memory; then several databases by environment"},
		{"connections", float64(n.Conns) / float64(s.Conns), "smaller pools, raise max_connections, PgBouncer in transaction mode"},
		{"cores", n.CPU / float64(l.Processes), "more processes, or more than one core for each"},
		{"quota", n.requests() / l.Quota, "slower schedules for the large types, fewer types"},
	}
	slices.SortStableFunc(all, func(a, b Limit) int { return cmp.Compare(b.Share, a.Share) })
	return all
}
