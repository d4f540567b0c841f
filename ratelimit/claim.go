package ratelimit

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// supply starts a claim if slots run short, and returns when to see to it again.
func (l *Limiter) supply(now int64) (again int64) {
	b := l.book
	if l.limit.N == 0 || b.busy != nil {
		return never
	}
	if l.frozen > now {
		return l.frozen
	}
	again = l.speakAt(now)
	switch {
	case again <= now:
	case b.stock.len() > b.ahead/2:
		return again
	case b.ahead == 0 && l.wanted(now) <= b.stock.len():
		return again // nobody waits, and nobody is expected soon
	case now < b.claimAt:
		again = min(again, b.claimAt)
		if l.flights.count > 0 {
			again = min(again, l.flights.oldest+int64(l.opts.HoldTimeout))
		}
		return again
	}
	l.startClaim(now)
	return never
}

// startClaim runs a claim unless one is running. Its goroutine ends with it.
func (l *Limiter) startClaim(now int64) {
	b := l.book
	if b.busy != nil || l.limit.N == 0 {
		return
	}
	b.ahead = b.demand(now, l.limit, l.opts.block(l.limit))
	b.used, b.began = 0, now
	c := l.draft(now)
	if c.want+c.ahead == 0 && int64(b.told) == c.held && b.said == 0 {
		return
	}
	b.busy = make(chan struct{})
	go l.runClaim(c)
}

// demand is how many slots will be used until claims can catch up, judged by the
// time since the last claim.
func (b *book) demand(now int64, limit Limit, block int) int {
	period := max(float64(idleAfter(limit)), 4*float64(b.latency))
	perNano := float64(b.used) / float64(max(now-b.began, 1))
	return int(min(period*perNano, float64(block)))
}

// wanted is how many slots the callers that wait could use at once.
func (l *Limiter) wanted(now int64) int {
	background := l.queues[Background].n
	if l.smoother != nil && background > 0 {
		tokens := l.smoother.TokensAt(l.base.Add(time.Duration(now)))
		background = min(background, l.unused+1+max(0, int(tokens)))
	}
	return l.queues[Interactive].n + background
}

// draft writes down what to claim and to report.
func (l *Limiter) draft(now int64) *claim {
	b := l.book
	b.seq++
	c := &claim{
		id:     b.id,
		seq:    b.seq,
		now:    floorMilli(b.anchor + now),
		term:   (lease + l.opts.HoldTimeout).Milliseconds(),
		limit:  int64(l.limit.N),
		window: max(1, l.limit.Window.Milliseconds()), // there is none when the limit has been lifted
		margin: 2 * l.opts.ClockError.Milliseconds(),
		reach:  reach.Milliseconds(),
		near:   floorMilli(b.near()),
		trip:   floorMilli(4 * b.latency),
		word:   b.wordFor().Milliseconds(),
		every:  int64(l.every),
		held:   int64(l.flights.count + b.stock.len()),
		spent:  make([]int64, len(b.spent)),
		want:   int64(max(0, l.wanted(now)-b.stock.len())),
		urgent: int64(l.urgent(now)),
		ahead:  int64(max(0, b.ahead-b.stock.len())),
		began:  now,
		epoch:  b.epoch,
	}
	if now < b.doubt {
		c.own = c.margin
	}
	for i, at := range b.spent {
		c.spent[i] = floorMilli(b.anchor+at) + 1
	}
	return c
}

func floorMilli(ns int64) int64 { return ns / int64(time.Millisecond) }

// runClaim brings a claim to the ledger, and what comes of it to the callers.
func (l *Limiter) runClaim(c *claim) {
	b := l.book
	ctx, cancel := context.WithTimeout(context.Background(), ledgerTimeout)
	defer cancel()
	c, v, content, err := l.commit(ctx, c, b.content, b.hasRead)

	l.mu.Lock()
	defer l.mu.Unlock()
	b.content, b.hasRead, b.err = content, err == nil, err
	if err == nil {
		l.settle(c, v)
	}
	close(b.busy)
	b.busy = nil // from here on, another claim may start
	now := l.tick()
	b.latency = now - b.began
	if l.limit.N == 0 {
		return // the limit that the claim was for has been lifted
	}
	if err != nil {
		b.claimAt = now + l.pollInterval()
		l.failWaiters(err)
		l.pump(now)
		return
	}
	l.planClaim(now, c, v)
	l.pump(now)
	b.touch(l)
	if int64(len(v.from)) < c.want {
		l.refuseWaiters(now)
	}
}

// commit applies a claim to the account as the ledger has it. It returns the
// claim and the verdict that hold, and the content of the ledger after it.
func (l *Limiter) commit(ctx context.Context, c *claim, content []byte, hasRead bool) (*claim, verdict, []byte, error) {
	b := l.book
	for isFresh := false; ; {
		if !hasRead {
			var err error
			if content, err = b.ledger.Load(ctx); err != nil {
				return c, verdict{}, nil, fmt.Errorf("ratelimit: ledger: %w", err)
			}
			isFresh = true
		}
		a, err := readAccount(content, c)
		if err != nil {
			return c, verdict{}, nil, fmt.Errorf("ratelimit: ledger: %w", err)
		}
		if isFresh {
			c = l.reconcile(a, c)
		}
		v := a.apply(c)
		if hasRead = isFresh || int64(len(v.from)) == c.want+c.ahead; !hasRead {
			continue // the content may have changed: look
		}
		if !v.changed {
			return c, v, content, nil
		}
		next, err := json.Marshal(a)
		if err != nil {
			return c, verdict{}, nil, fmt.Errorf("ratelimit: ledger: %w", err)
		}
		b.pending = append(b.pending, attempt{c, v})
		ok, err := b.ledger.Swap(ctx, content, next)
		if err != nil {
			return c, verdict{}, nil, fmt.Errorf("ratelimit: ledger: %w", err)
		}
		if ok {
			b.pending = nil
			return c, v, next, nil
		}
		b.pending = b.pending[:len(b.pending)-1]
		hasRead, isFresh = false, false
	}
}

// reconcile compares the limiter's own holding with what it knows. A write whose
// outcome was unknown turns out to have succeeded, or not. A holding that others
// have removed takes the slots claimed with it. If anything has changed, the claim
// is drafted anew.
func (l *Limiter) reconcile(a *account, c *claim) *claim {
	b := l.book
	var seq int64
	if own := a.Holders[b.id]; own != nil {
		seq = own.Seq
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.tick()
	i := slices.IndexFunc(b.pending, func(p attempt) bool { return p.claim.seq == seq })
	switch {
	case i >= 0:
		l.settle(b.pending[i].claim, b.pending[i].verdict)
		b.pending = nil
	case seq != b.accepted && l.flights.count+b.stock.len() > 0:
		b.void(now, l.window)
		l.flights.revoke()
	default:
		return c
	}
	return l.draft(l.tick())
}

// settle takes in a claim that is in the ledger.
func (l *Limiter) settle(c *claim, v verdict) {
	b := l.book
	b.said = int(v.waiting)
	b.spent = b.spent[len(c.spent):]
	if len(b.spent) == 0 {
		b.spent = nil
	}
	if v.changed {
		b.accepted, b.told = c.seq, int(c.held)+len(v.from)
		b.lease = c.began + int64(lease)
	}
	for _, from := range v.from {
		at := from*int64(time.Millisecond) - b.anchor
		if c.epoch == b.epoch {
			b.stock.insert(at, l.limit.N)
		} else if at > c.began { // claimed under a limit that is no more
			b.spent = append(b.spent, at-c.window*int64(time.Millisecond))
		}
	}
}

// planClaim decides when the next claim makes sense.
func (l *Limiter) planClaim(now int64, c *claim, v verdict) {
	b := l.book
	b.others, b.shared, b.owed = v.others > 0, v.shared, v.owed
	b.next = never
	if v.next != never {
		b.next = v.next*int64(time.Millisecond) - b.anchor
	}
	if len(v.from) > 0 || c.want+c.ahead == 0 {
		b.claimAt, b.polls = now, 0
	} else {
		b.claimAt = l.lookAt(now)
	}
	if v.yielded {
		b.claimAt = max(b.claimAt, now+l.turnInterval())
	}
}

// lookAt returns when to look again for slots after a claim in vain.
func (l *Limiter) lookAt(now int64) int64 {
	b := l.book
	at := b.next
	if early := b.next - b.lead(); early > now {
		at = early
	}
	if b.others {
		at = min(at, now+l.pollInterval())
	}
	if len(b.spent) > 0 {
		at = min(at, b.spent[0]+l.window-b.lead())
	}
	return at
}

// turnInterval is how long background waits while slots are left to interactive
// callers of others: about until its share is one more slot.
func (l *Limiter) turnInterval() int64 {
	d := max(l.limit.Window/time.Duration(l.limit.N)*time.Duration(l.every), 4*time.Duration(l.book.latency), wordGap)
	d = min(d, wordFor/2) / 2
	return int64(d) + rand.Int64N(int64(d))
}

// pollInterval is how long to wait before looking whether others have given
// slots back. It doubles from poll to poll, up to a thirtieth of the window or 10
// minutes, and to half the time for which a word about interactive callers is good.
func (l *Limiter) pollInterval() int64 {
	b := l.book
	b.polls = min(b.polls+1, 16)
	d := min(time.Second<<b.polls, l.limit.Window/30, 10*time.Minute) / 2
	if b.said > 0 {
		d = min(d, b.wordFor()/4)
	}
	return int64(d) + rand.Int64N(int64(d))
}

// failWaiters ends the wait of all callers for whom there is no slot.
func (l *Limiter) failWaiters(err error) {
	if l.book.stock.len() > 0 {
		return
	}
	for p := range l.queues {
		for w := l.queues[p].first; w != nil; w = l.queues[p].first {
			l.fail(w, err)
		}
	}
}

// refuseWaiters ends the wait of callers whose deadline cannot be met by what is
// now known.
func (l *Limiter) refuseWaiters(now int64) {
	for p := range l.queues {
		k := 0
		for w := l.queues[p].first; w != nil; {
			next := w.next
			if err := l.refuse(w, now, k, k); err != nil {
				l.fail(w, err)
			} else {
				k++
			}
			w = next
		}
	}
}

func (l *Limiter) fail(w *waiter, err error) {
	l.leave(w)
	w.err = err
	close(w.ready)
}

// Flush reports to the ledger all requests that are done and gives back the slots
// claimed ahead, so that a restart, or another process, finds all that is left of
// the budget. Call it before a process ends. Without a ledger it does nothing.
// The limiter stays usable.
func (l *Limiter) Flush(ctx context.Context) error {
	if l.book == nil {
		return nil
	}
	for started := false; ; {
		busy, err := l.flush(&started)
		if busy == nil {
			return err
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return fmt.Errorf("ratelimit: flush: %w", ctx.Err())
		}
	}
}

// flush starts the last claim, unless one is running, and returns what to wait
// for.
func (l *Limiter) flush(started *bool) (<-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.book
	if b.busy != nil {
		return b.busy, nil
	}
	if *started {
		return nil, b.err
	}
	*started = true
	l.giveBack(l.tick())
	return b.busy, nil
}

// giveBack reports what is to report and claims nothing ahead.
func (l *Limiter) giveBack(now int64) {
	l.book.void(now, l.window)
	l.book.used = 0
	l.startClaim(now)
}
