package telemetry

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/cxsync/cxsync/environment"
)

// errInterrupted is what the span of a pass says that was cut off by its context.
var errInterrupted = errors.New("interrupted")

// Spans returns options that make a span of each pass, and in it of each try of a request, and do
// what opts does. Without a provider they are opts.
func Spans(provider trace.TracerProvider, opts environment.Options) environment.Options {
	if provider == nil {
		return opts
	}
	s := &spans{tracer: provider.Tracer(scope)}
	begun := opts.Begun
	opts.Begun = func(ctx context.Context, p environment.PassStart) context.Context {
		ctx = s.begin(ctx, p)
		if begun != nil {
			ctx = begun(ctx, p)
		}
		return ctx
	}
	return telling(opts, s.request, s.end)
}

// spans makes spans. An environment has at most one pass of a type at a time in one process, so that
// the end of a pass finds its span by what it is of.
type spans struct {
	tracer trace.Tracer
	passes sync.Map // of spans, by environment.PassStart
}

func (s *spans) begin(ctx context.Context, p environment.PassStart) context.Context {
	ctx, span := s.tracer.Start(ctx, "pass "+p.Type, trace.WithAttributes(append(of(p.Environment, p.Name), attribute.String("cxsync.type", p.Type))...))
	s.passes.Store(p, span)
	context.AfterFunc(ctx, func() { // no Observer is told of the end of a pass that its context ended
		if s.passes.CompareAndDelete(p, span) {
			fail(span, errInterrupted)
			span.End()
		}
	})
	return ctx
}

func (s *spans) end(e environment.PassEvent) {
	found, ok := s.passes.LoadAndDelete(e.PassStart)
	if !ok {
		return
	}
	span := found.(trace.Span)
	span.SetAttributes(outcome(e), attribute.Int64("cxsync.pass.requests", e.Result.Requests), attribute.Int("cxsync.pass.objects", e.Result.Objects))
	if e.Err != nil {
		fail(span, e.Err)
	}
	span.End()
}

// request makes the span of a try that is over.
func (s *spans) request(ctx context.Context, e environment.RequestEvent) {
	now := time.Now()
	_, span := s.tracer.Start(ctx, e.Method, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(now.Add(-e.Took)),
		trace.WithAttributes(append(requestAttributes(e), of(e.Environment, e.Name)...)...))
	switch {
	case e.Err != nil:
		fail(span, e.Err)
	case e.Status >= 400:
		span.SetStatus(codes.Error, "")
	}
	span.End(trace.WithTimestamp(now))
}

func fail(span trace.Span, err error) { span.SetStatus(codes.Error, err.Error()) }
