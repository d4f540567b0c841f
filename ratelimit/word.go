package ratelimit

import "time"

const (
	// wordFor is how long a limiter's word about its interactive callers is good.
	// It outlasts reach, so that slots are left to them while they wait for one
	// that cools and have not claimed the others yet. Where they have to wait for
	// long, it becomes longer, as looks at the ledger become rarer.
	wordFor    = reach + 5*time.Second
	maxWordFor = lease

	// wordGap is the least time between two claims that are made for the sake of
	// the word alone.
	wordGap = 100 * time.Millisecond
)

// say tells the other limiters how many interactive callers are left without a
// slot.
func (h *holding) say(c *claim, v *verdict) {
	v.waiting = max(0, c.urgent-int64(len(v.from)))
	word := int64(0)
	if v.waiting > 0 {
		word = c.now + c.word
	}
	if v.waiting != h.Waiting || 2*(word-h.Word) > c.word {
		v.changed = true
	}
	h.Waiting, h.Word = v.waiting, word
}

// wordFor is how long the word is good that the next claim gives.
func (b *book) wordFor() time.Duration {
	slow := reach + 8*time.Duration(b.latency) // this claim, and the one after the slot that cools
	return max(wordFor, min(max(4*time.Second<<b.polls, slow), maxWordFor))
}

// urgent is how many interactive callers wait for want of a slot.
func (l *Limiter) urgent(now int64) int {
	if l.frozen > now || !l.server.room(l.flights.unanswered()) {
		return 0
	}
	return max(0, l.queues[Interactive].n-l.book.stock.len())
}

// speakAt returns when to tell the other limiters of interactive callers they do
// not know of. One more among many can wait for the next claim.
func (l *Limiter) speakAt(now int64) int64 {
	b := l.book
	switch {
	case b.err != nil || l.urgent(now) <= b.said+b.said/4:
		return never
	case b.said == 0:
		return now
	}
	return b.began + int64(wordGap)
}

// hush takes the word back when its callers have left.
func (l *Limiter) hush(now int64) {
	if b := l.book; b.said > 0 && b.err == nil && l.queues[Interactive].n == 0 {
		l.startClaim(now)
	}
}
