package storage

// Watched returns how many leases of others l remembers.
func Watched(l *Leases) int { return len(l.watched) }
