package soak_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// A monthProcess is an engine that runs, until it is stopped or killed.
type monthProcess struct {
	engine *environment.Engine
	store  *monthStore
	ctx    context.Context //nolint:containedctx // the life of the process
	stop   context.CancelFunc
	wg     sync.WaitGroup
	labels context.Context //nolint:containedctx // of its goroutines; see monthclock_test.go
}

// startProcess starts an engine that polls, and a consumer for each environment
// if it is the first process.
func (m *month) startProcess(slot int) {
	p := &monthProcess{store: &monthStore{Store: m.store, left: -1}, labels: context.Background()}
	if setSkew != nil && slot == m.wrong {
		p.labels = skewLabel
	}
	p.ctx, p.stop = context.WithCancel(m.t.Context())
	p.store.died = p.stop
	vault, err := environment.NewKeyVault(testKey)
	require.NoError(m.t, err)
	p.engine, err = environment.Open(p.store, &environment.Options{
		Vault: vault, Concurrency: 1 + m.random.IntN(4), Rotation: monthRotation, Catalogue: m.catalogue,
		Observer: func(e environment.PassEvent) { p.outside(func() { m.observe(e) }) },
		Transport: transportFunc(func(r *http.Request) (resp *http.Response, err error) {
			if p.store.isDead() {
				return nil, errKilled
			}
			p.outside(func() { resp, err = m.route(r) })
			return resp, err
		}),
	})
	require.NoError(m.t, err)
	m.procs[slot] = p
	p.inside(func() {
		p.wg.Go(func() {
			if err := p.engine.Run(p.ctx); err != nil && !p.store.isDead() {
				m.t.Errorf("Run: %v", err)
			}
		})
		if slot > 0 {
			return
		}
		for _, o := range m.orgs {
			p.wg.Go(func() { m.consume(p, o) })
		}
	})
}

// consume follows an environment with a consumer that fails at random.
func (m *month) consume(p *monthProcess, o *monthOrg) {
	for p.ctx.Err() == nil {
		err := p.engine.Follow(p.ctx, o.record.ID, "month", func(ctx context.Context, c history.Change) error {
			return o.deliver(ctx, p.engine, c)
		}, nil)
		if err != nil && !errors.Is(err, errConsumer) && !p.store.isDead() {
			m.t.Errorf("%s: Follow: %v", o.record.Name, err)
		}
		select {
		case <-p.ctx.Done():
		case <-time.After(time.Duration(1+o.calls%29) * time.Minute):
		}
	}
}

var errConsumer = errors.New("the consumer failed")

// A monthDelivery is a change that the consumer has got, with the body that the
// object had by then.
type monthDelivery struct {
	history.Change
	body   []byte
	failed bool // the consumer failed after it had it
}

func (o *monthOrg) deliver(ctx context.Context, engine *environment.Engine, c history.Change) error {
	d := monthDelivery{Change: c}
	if c.Kind != history.KindDeleted && c.Kind != history.KindShape {
		h, err := engine.History(ctx, o.record.ID)
		if err != nil {
			return err
		}
		v, err := h.ObjectAsOf(ctx, c.Type, c.ID, c.At)
		if err != nil {
			return err
		}
		d.body = v.Body
	}
	o.calls++
	draw := (uint64(o.calls)*2654435761 + c.Seq*40503) >> 7 % 40
	if draw == 0 {
		return errConsumer // before it had the change
	}
	d.failed = draw == 1
	o.delivered = append(o.delivered, d)
	if d.failed {
		return errConsumer
	}
	return nil
}

// end stops a process: at rest, or in the middle of whatever it does.
func (m *month) end(slot int, kill bool) {
	p := m.procs[slot]
	if kill {
		p.store.die()
	}
	p.stop()
	p.wg.Wait()
	if !p.store.isDead() {
		p.inside(func() { require.NoError(m.t, p.engine.Close(m.t.Context())) })
	}
	m.procs[slot] = nil
}

// monthStore is a store whose process can die: at once, or at a later commit,
// of which the process does not learn whether it was made.
type monthStore struct {
	storage.Store
	died func()

	mu   sync.Mutex
	left int  // commits until the end; negative: no end
	made bool // the last commit is
	dead bool
}

func (s *monthStore) isDead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

func (s *monthStore) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
}

func (s *monthStore) dieAfter(commits int, made bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.made = commits, made
}

func (s *monthStore) Get(ctx context.Context, key string) ([]byte, error) {
	if s.isDead() {
		return nil, errKilled
	}
	return s.Store.Get(ctx, key)
}

func (s *monthStore) Scan(ctx context.Context, r storage.Range) iter.Seq2[storage.Entry, error] {
	if s.isDead() {
		return func(yield func(storage.Entry, error) bool) { yield(storage.Entry{}, errKilled) }
	}
	return s.Store.Scan(ctx, r)
}

func (s *monthStore) Commit(ctx context.Context, b *storage.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.dead:
		return errKilled
	case s.left == 0:
		s.dead = true
		s.died()
		if s.made {
			_ = s.Store.Commit(ctx, b) // the process does not live to see the error
		}
		return errKilled
	case s.left > 0:
		s.left--
	}
	return s.Store.Commit(ctx, b)
}
