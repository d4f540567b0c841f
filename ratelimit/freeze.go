package ratelimit

// A frozenKey is a key whose requests wait because the server said so.
type frozenKey struct {
	until  int64
	why    string
	parked [2]queue // its callers, out of the way of others
}

// freeze makes the requests of a key wait, or all if the key is empty. It never
// makes an earlier freeze shorter.
func (l *Limiter) freeze(key string, until int64, why string) {
	if key == "" {
		if until > l.frozen {
			l.frozen, l.frozenWhy = until, why
		}
		return
	}
	if l.keys == nil {
		l.keys = make(map[string]*frozenKey)
	}
	if l.keys[key] == nil {
		l.keys[key] = new(frozenKey)
	}
	if k := l.keys[key]; until > k.until {
		k.until, k.why = until, why
	}
}

// thawsAt returns when requests of a key may be sent again.
func (l *Limiter) thawsAt(now int64, key string) int64 {
	if k := l.keys[key]; k != nil {
		return k.until
	}
	return now
}

// thawAt returns when the next of the keys thaws whose callers wait out of the way.
func (l *Limiter) thawAt() int64 {
	at := int64(never)
	for _, k := range l.keys {
		if k.parked[Background].n+k.parked[Interactive].n > 0 {
			at = min(at, k.until)
		}
	}
	return at
}

// thaw ends freezes of keys that are over. Their callers go first: they have
// waited longest.
func (l *Limiter) thaw(now int64) {
	for key, k := range l.keys {
		if k.until > now {
			continue
		}
		for p := range k.parked {
			l.queues[p].prepend(&k.parked[p])
		}
		delete(l.keys, key)
	}
}
