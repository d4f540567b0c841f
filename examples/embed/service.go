package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/examples/internal/ask"
	"github.com/cxsync/cxsync/examples/internal/cli"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
)

// A service answers for an engine that it runs.
type service struct {
	engine  *environment.Engine
	logger  *slog.Logger
	more    map[string]http.Handler // what else is answered, by pattern
	polling atomic.Bool
	jobs    sync.WaitGroup // what goes on beside the answers

	mu      sync.Mutex
	imports map[int64]lastImport // by environment
}

// A lastImport tells of the latest import that was asked for.
type lastImport struct {
	Running bool     `json:"running"`
	Types   int      `json:"types"`            // that were read
	Failed  []string `json:"failed,omitempty"` // types, and why
	Error   string   `json:"error,omitempty"`  // what stopped it
}

// serve answers and polls until ctx ends: first the answering ends, then the
// polling. If the polling ends by itself, because the store is over, so does serve,
// with that error. Nothing goes on when it returns.
func (s *service) serve(ctx context.Context, listener net.Listener) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer s.jobs.Wait()
	defer stop()
	s.polling.Store(true)
	var pollErr error
	s.jobs.Go(func() {
		pollErr = s.engine.Run(work)
		s.polling.Store(false)
		s.logger.Info("polling ended", "error", pollErr)
		end()
	})
	server := &http.Server{Handler: s.handler(work), ReadHeaderTimeout: 10 * time.Second}
	down := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(work, 10*time.Second)
		defer cancel()
		down <- server.Shutdown(grace)
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	err := <-down
	stop()
	s.jobs.Wait()
	return errors.Join(pollErr, err)
}

// handler answers requests. Imports that they start end with ctx.
func (s *service) handler(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	for pattern, f := range map[string]func(*http.Request, int64) (any, error){
		"GET /healthz":                    s.health,
		"GET /environments":               s.environments,
		"GET /environments/{id}/status":   s.status,
		"GET /environments/{id}/forecast": func(r *http.Request, id int64) (any, error) { return s.engine.Forecast(r.Context(), id) },
		"GET /environments/{id}/changes":  s.changes,
		"POST /environments/{id}/audits":  s.hint,
		"POST /environments/{id}/import":  func(_ *http.Request, id int64) (any, error) { return s.startImport(ctx, id) },
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			id, err := strconv.ParseInt(cmp.Or(r.PathValue("id"), "0"), 10, 64)
			var v any
			if err == nil {
				v, err = f(r, id)
			}
			if err != nil {
				v = map[string]string{"error": err.Error()}
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(statusOf(r, err))
			_ = json.NewEncoder(w).Encode(v)
		})
	}
	mux.Handle("GET "+ask.Path, ask.Handler(s.engine))
	for pattern, h := range s.more {
		mux.Handle(pattern, h)
	}
	return cli.Local(http.NewCrossOriginProtection().Handler(mux))
}

var errEvent = errors.New("the body is no event")

// maxEvent bounds an event of the org's audits.
const maxEvent = 1 << 20

// hint reads what an audit names now. The request's body is an event as Amazon EventBridge has it.
func (s *service) hint(r *http.Request, id int64) (any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxEvent))
	if err != nil {
		return nil, err
	}
	record, err := genesys.ParseAuditEvent(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errEvent, err)
	}
	targets := genesys.DefaultCatalogue().Audited(record)
	return map[string]int{"targets": len(targets)}, s.engine.Hint(r.Context(), id, targets...)
}

var (
	errBusy = errors.New("an import of this environment is under way")
	errDown = errors.New("it does not poll")
)

func statusOf(r *http.Request, err error) int {
	if _, malformed := errors.AsType[*strconv.NumError](err); malformed || errors.Is(err, errEvent) {
		return http.StatusBadRequest
	}
	switch {
	case err == nil && r.Method == http.MethodPost:
		return http.StatusAccepted
	case err == nil:
		return http.StatusOK
	case errors.Is(err, environment.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, errBusy):
		return http.StatusConflict
	case errors.Is(err, errDown):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// health answers with the verdict on each environment and the types that are not well. An org
// that fails is no reason to restart this process, so that only polling that ended is one.
func (s *service) health(r *http.Request, _ int64) (any, error) {
	if !s.polling.Load() {
		return nil, errDown
	}
	all, problems := []environment.Health{}, []string{}
	for record, err := range s.engine.All(r.Context()) {
		var h environment.Health
		if err == nil {
			h, err = s.engine.Health(r.Context(), record.ID)
		}
		if errors.Is(err, environment.ErrNotFound) {
			continue // it is being deleted
		}
		if err != nil { // of one record, or of the store, which ends the loop
			problems = append(problems, err.Error())
			continue
		}
		h.Types = slices.DeleteFunc(h.Types, func(t environment.TypeHealth) bool { return t.Verdict == environment.VerdictGood })
		all = append(all, h)
	}
	return map[string]any{"status": "polling", "environments": all, "problems": problems}, nil
}

// status is what an answer has of an environment.
type status struct {
	environment.Status
	Import lastImport `json:"import"`
}

func (s *service) status(r *http.Request, id int64) (any, error) {
	st, err := s.engine.Status(r.Context(), id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return status{st, s.imports[id]}, err
}

func (s *service) environments(r *http.Request, _ int64) (any, error) {
	records := []environment.Record{}
	for record, err := range s.engine.All(r.Context()) {
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

// page is what an answer has of the changes.
type page struct {
	Changes []history.Change `json:"changes"`
	Next    uint64           `json:"next"` // for "after" of the next request
}

func (s *service) changes(r *http.Request, id int64) (any, error) {
	after, err := strconv.ParseUint(cmp.Or(r.FormValue("after"), "0"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("after: %w", err)
	}
	limit, err := strconv.Atoi(cmp.Or(r.FormValue("limit"), "100"))
	if err != nil {
		return nil, fmt.Errorf("limit: %w", err)
	}
	h, err := s.engine.History(r.Context(), id)
	if err != nil {
		return nil, err
	}
	p := page{Changes: []history.Change{}, Next: after}
	for c, err := range h.Changes(r.Context(), history.Query{AfterSeq: after, Limit: min(max(limit, 1), 1000)}) {
		if err != nil {
			return nil, err
		}
		p.Changes, p.Next = append(p.Changes, c), c.Seq
	}
	return p, nil
}

func (s *service) startImport(ctx context.Context, id int64) (any, error) {
	if _, err := s.engine.Get(ctx, id); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.imports[id].Running {
		return nil, errBusy
	}
	s.imports[id] = lastImport{Running: true}
	s.jobs.Go(func() {
		result, err := s.engine.Import(ctx, id, nil)
		last := lastImport{Types: len(result.Types)}
		for _, f := range result.Failed {
			last.Failed = append(last.Failed, f.Error())
		}
		if err != nil {
			last.Error = err.Error()
		}
		s.logger.Info("import ended", "environment", id, "types", last.Types, "failed", len(last.Failed), "error", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.imports[id] = last
	})
	return s.imports[id], nil
}
