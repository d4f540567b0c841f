package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// lease is how long slots that were claimed may be used before they have to be
	// claimed anew, so that the slots of a process that is gone are free one day.
	lease = time.Minute

	// reach is how long before a slot is free it may be claimed.
	reach = 15 * time.Second

	// ledgerTimeout ends one claim. It is well below lease.
	ledgerTimeout = 20 * time.Second
)

// A book is the part of a limiter that deals with its ledger: which slots it has
// claimed, and what it has to report. The limiter's mutex guards it, except what
// only the goroutine of the one running claim touches.
//
// A slot goes from the ledger to stock (claimed), from there into flight, and
// from there to spent (over, not yet reported). All three are held in the ledger,
// until the next claim reports the spent ones.
type book struct {
	ledger Ledger
	id     string
	stock  fifo    // when each slot claimed may be used
	spent  []int64 // completions to report
	lease  int64   // the stock may not be used from then on

	ahead    int   // slots claimed ahead of the callers
	used     int   // slots used since the last claim began
	began    int64 // when that was
	latency  int64 // of the last claim
	claimAt  int64 // no claim before
	next     int64 // the last claim's word on when a further slot may be free
	others   bool  // others hold slots that they may give back at any time
	polls    int   // looks at the ledger in vain, one after the other
	busy     chan struct{}
	err      error // of the last claim
	epoch    int   // a claim drafted in an earlier one is void
	content  []byte
	hasRead  bool
	seq      int64 // of the last claim tried
	accepted int64 // of the last claim written
	told     int   // slots held, as the last claim wrote it
	said     int   // interactive callers without a slot, likewise
	shared   bool  // there are other holders
	owed     bool  // background has not had its share of their slots

	active bool // slots were used since idle was set
	idle   *time.Timer
	isIdle bool // idle is not set

	anchor int64         // Unix nanoseconds at the limiter's base
	doubt  int64         // what the ledger holds may be by a slower clock until then
	skew   time.Duration // added to the wall clock, by tests

	pending []attempt // claim's goroutine: writes whose outcome is unknown, at most one of them counts
}

type attempt struct {
	claim   *claim
	verdict verdict
}

func newBook(ledger Ledger, base time.Time) *book {
	return &book{
		ledger: ledger,
		id:     fmt.Sprintf("%016x", rand.Uint64()),
		isIdle: true,
		next:   never,
		anchor: base.UnixNano(),
	}
}

// tick returns the present. Slots claimed too long ago are given up. So are all
// when the wall clock leaps, as it does after the machine has slept: the lease is
// over by the clocks of others.
func (b *book) tick(l *Limiter) int64 {
	t := time.Now()
	now := int64(t.Sub(l.base))
	wall := t.UnixNano() + int64(b.skew)
	if d := wall - b.anchor - now; d > int64(l.opts.ClockError) || -d > int64(l.opts.ClockError) {
		b.anchor = wall - now
		b.lease = 0
		b.epoch++
		l.flights.revoke()
		if d > 0 {
			b.doubt = now + l.window + 2*int64(l.opts.ClockError)
		}
	}
	if b.lease <= now && b.stock.len() > 0 {
		b.void(now, l.window)
		b.touch(l)
	}
	return now
}

// void gives up all slots claimed and not used. One that is still cooling goes
// back as what it was, a request that completed one window before it is free.
func (b *book) void(now, window int64) {
	b.claimAt = min(b.claimAt, now)
	for b.stock.len() > 0 {
		if from := b.stock.pop(); from > now {
			b.spent = append(b.spent, from-window)
		}
	}
}

// use takes the first slot of the stock.
func (b *book) use() {
	b.stock.pop()
	b.used++
	b.active = true
}

// restock takes back the slot of a request that was never sent. If the lease is
// over by now, or the slot was revoked, it goes back to the ledger.
func (b *book) restock(l *Limiter, now int64, isRevoked bool) {
	if b.lease > now && !isRevoked {
		b.stock.insert(now, l.limit.N)
	} else {
		b.claimAt = min(b.claimAt, now)
	}
	b.touch(l)
}

// spend enters a completed request.
func (b *book) spend(l *Limiter, at, now int64) {
	b.spent = append(b.spent, at)
	b.claimAt = min(b.claimAt, at+l.window-b.lead())
	b.touch(l)
	if b.err == nil && len(b.spent) >= max(1, l.opts.block(l.limit)/2) {
		l.startClaim(now)
	}
}

// near is how long before a slot is free it may be claimed for the background
// where there are other holders: as late as claims can, lest it is missing when
// one of them wants it for a person.
func (b *book) near() int64 { return min(max(int64(time.Second), 4*b.latency), int64(reach)) }

// lead is how long before a slot is free a limiter tries to claim it. It varies,
// so that limiters that share a ledger take turns.
func (b *book) lead() int64 {
	switch {
	case b.said > 0 || b.owed:
		return int64(reach) - rand.Int64N(int64(reach)/4)
	case b.shared:
		return b.near()/4 + rand.Int64N(b.near()/2)
	}
	return int64(reach/4) + rand.Int64N(int64(reach)/2)
}

// slotAt returns when the slot after the next k ones may be used, as far as they
// are claimed.
func (b *book) slotAt(k int) int64 {
	if k < b.stock.len() {
		return b.stock.at(k)
	}
	return never
}

// expect returns when the slot after the next k ones is to be expected, or now if
// only a claim can tell.
func (b *book) expect(l *Limiter, now int64, k int) int64 {
	if l.limit.N == 0 || b.others || b.busy != nil || b.claimAt <= now {
		return now
	}
	if k < b.stock.len() {
		return b.stock.at(k)
	}
	at := b.next
	if len(b.spent) > 0 {
		at = min(at, b.spent[0]+l.window)
	}
	if l.flights.count > 0 {
		at = min(at, now+l.window)
	}
	if at == never {
		return now
	}
	return at
}

// touch sets the timer after which a limiter that has become idle reports and
// gives back what is left.
func (b *book) touch(l *Limiter) {
	if !b.isIdle || l.limit.N == 0 || b.stock.len()+len(b.spent) == 0 {
		return
	}
	b.isIdle, b.active = false, false
	after := idleAfter(l.limit)
	if b.idle == nil {
		b.idle = time.AfterFunc(after, func() { l.settleIdle() })
	} else {
		b.idle.Reset(after)
	}
}

func idleAfter(limit Limit) time.Duration {
	return min(max(limit.Window/60, time.Second), lease/2)
}

func (l *Limiter) settleIdle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.book
	b.isIdle = true
	now := l.tick()
	if b.busy != nil {
		b.touch(l)
		return
	}
	if b.active || l.waiting > 0 {
		l.startClaim(now)
	} else {
		l.giveBack(now)
	}
	if b.busy == nil {
		b.touch(l)
	}
}
