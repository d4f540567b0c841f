package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/postgres"
)

// A fleetJob tells a process of the fleet what to do. It comes in a variable of
// its environment.
type fleetJob struct {
	DSN, Schema string
	Instance    string
	Key         []byte // of the vault
	Seed        uint64
	Skew        time.Duration // of the wall clock, at most
}

// fleetEnv holds a fleetJob in JSON.
const fleetEnv = "CXSYNC_TEST_FLEET"

// fleetLease is short, so that a takeover takes seconds.
const fleetLease = 4 * time.Second

// fleetTypes are polled. Members are listed under each queue.
var fleetTypes = []string{"routing.queues", "routing.queues.members", "routing.skills", "groups", "teams", "routing.wrapupcodes"}

// A fleetEvent is what a process tells, one JSON text a line: a pass that ended, with
// the machine's times, or a change that it is about to acknowledge.
type fleetEvent struct {
	Instance    string // that made the pass
	Environment int64
	Type        string
	Started     time.Time
	Ended       time.Time
	Seq         uint64 // of a change
	Failed      string
}

// fleetWorker polls on schedule, and asks for passes of its own meanwhile, until
// it is told to end or killed.
func fleetWorker(text string) error {
	var job fleetJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if job.Skew > 0 {
		go leap(ctx, job)
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})).With("instance", job.Instance)
	store, err := postgres.Open(ctx, job.DSN, &postgres.Options{Schema: job.Schema})
	for err != nil { // the server may be down when a process starts
		if ctx.Err() != nil {
			return nil
		}
		logger.WarnContext(ctx, "opening", "error", err)
		pause(ctx, time.Second)
		store, err = postgres.Open(ctx, job.DSN, &postgres.Options{Schema: job.Schema})
	}
	defer func() { _ = store.Close() }()
	vault, err := environment.NewKeyVault(job.Key)
	if err != nil {
		return err
	}
	w := &worker{instance: job.Instance, logger: logger, out: json.NewEncoder(os.Stdout), random: rand.New(rand.NewPCG(job.Seed, 0))}
	w.engine, err = environment.Open(store, &environment.Options{
		Vault: vault, Instance: job.Instance, Lease: fleetLease, Observer: w.pass,
		Logger: logger,
	})
	if err != nil {
		return err
	}
	var ids []int64
	for len(ids) == 0 && ctx.Err() == nil {
		for r, err := range w.engine.All(ctx) {
			if err != nil {
				pause(ctx, time.Second)
				ids = nil
				break
			}
			ids = append(ids, r.ID)
		}
	}
	var work sync.WaitGroup
	work.Go(func() { w.insist(ctx, w.engine.Run) })
	for _, id := range ids {
		work.Go(func() {
			w.insist(ctx, func(ctx context.Context) error { return w.engine.Follow(ctx, id, "test", w.change, nil) })
		})
	}
	work.Go(func() { w.ask(ctx, ids) })
	work.Wait()
	return w.engine.Close(context.WithoutCancel(ctx))
}

// leap sets the wall clock of this process forward and back.
func leap(ctx context.Context, job fleetJob) {
	random := rand.New(rand.NewPCG(job.Seed, 1))
	for ctx.Err() == nil {
		setSkew(time.Duration(random.Int64N(int64(2*job.Skew))) - job.Skew)
		pause(ctx, time.Duration(random.IntN(10_000))*time.Millisecond)
	}
}

// A worker is a process of the fleet.
type worker struct {
	instance string
	engine   *environment.Engine
	logger   *slog.Logger
	random   *rand.Rand
	mu       sync.Mutex
	out      *json.Encoder
}

func (w *worker) tell(e fleetEvent) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Encode(e)
}

func (w *worker) pass(e environment.PassEvent) {
	ended := trueNow()
	event := fleetEvent{Instance: w.instance, Environment: e.Environment, Type: e.Result.Type, Started: ended.Add(-e.Took), Ended: ended}
	if e.Err != nil {
		event.Failed = e.Err.Error()
	}
	_ = w.tell(event)
}

func (w *worker) change(_ context.Context, c history.Change) error {
	return w.tell(fleetEvent{Environment: c.Environment, Type: c.Type, Seq: c.Seq})
}

// insist calls f again when the database was away.
func (w *worker) insist(ctx context.Context, f func(context.Context) error) {
	for ctx.Err() == nil {
		if err := f(ctx); err != nil {
			w.logger.WarnContext(ctx, "again", "error", err)
		}
		pause(ctx, 500*time.Millisecond)
	}
}

// ask asks for passes and imports at random.
func (w *worker) ask(ctx context.Context, ids []int64) {
	for ctx.Err() == nil {
		id := ids[w.random.IntN(len(ids))]
		switch w.random.IntN(20) {
		case 0:
			_, _ = w.engine.Import(ctx, id, nil)
		default:
			_, _ = w.engine.Poll(ctx, id, fleetTypes[w.random.IntN(len(fleetTypes))])
		}
		pause(ctx, time.Duration(w.random.IntN(400))*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// fleetChild runs as a process of the fleet if the environment says so.
func fleetChild() bool {
	text := os.Getenv(fleetEnv)
	if text == "" {
		return false
	}
	if err := fleetWorker(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}
