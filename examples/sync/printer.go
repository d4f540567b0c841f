package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/examples/internal/cli"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/ratelimit"
)

// A printer writes for people, or JSON lines for programs.
type printer struct {
	mu  sync.Mutex
	out io.Writer     // above the bar, if there is one
	bar *bar          // nil if the output is no terminal
	enc *json.Encoder // nil for people

	progressed environment.Progress // the latest
	warned     time.Time            // when somebody without a bar was told of a wait

	result  totals
	ignored int
}

// totals is the last line of -json.
type totals struct {
	Event       string        `json:"event"`
	Types       int           `json:"types"`
	Objects     int           `json:"objects"`
	Imported    int           `json:"imported"`
	Created     int           `json:"created"`
	Updated     int           `json:"updated"`
	Deleted     int           `json:"deleted"`
	Restored    int           `json:"restored"`
	Unchanged   int           `json:"unchanged"`
	Withheld    int           `json:"withheld"`
	Requests    int64         `json:"requests"`
	Unavailable []unavailable `json:"unavailable"`
	Failed      []failure     `json:"failed"`
}

type unavailable struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

type failure struct {
	Type  string `json:"type"`
	Error string `json:"error"`
}

func newPrinter(out *os.File, asJSON bool) *printer {
	p := &printer{out: out, result: totals{Event: "summary", Unavailable: []unavailable{}, Failed: []failure{}}}
	if _, ok := columns(out); ok && !asJSON {
		p.bar = &bar{out: out, width: func() int {
			n, _ := columns(out)
			return cmp.Or(n, 80) // some terminals do not say
		}}
		p.out = p.bar
	}
	if asJSON {
		p.enc = json.NewEncoder(cli.JSON(out))
		p.enc.SetEscapeHTML(false)
	}
	return p
}

func (p *printer) say(format string, args ...any) {
	if p.enc == nil {
		fmt.Fprintf(p.out, format+"\n", args...)
	}
}

// observe adds up what the passes found.
func (p *printer) observe(e environment.PassEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, r := &p.result, e.Result
	t.Requests += r.Requests
	switch {
	case e.Err != nil:
		t.Failed = append(t.Failed, failure{r.Type, e.Err.Error()})
		return
	case r.Unavailable != "":
		t.Unavailable = append(t.Unavailable, unavailable{r.Type, r.Unavailable})
		return
	}
	t.Types++
	t.Objects += r.Objects
	t.Imported += r.Imported
	t.Created += r.Created
	t.Updated += r.Updated
	t.Deleted += r.Deleted
	t.Restored += r.Restored
	t.Unchanged += r.Unchanged
	t.Withheld += r.Withheld
	p.ignored += r.Ignored
}

// progress draws a bar on a terminal, and a line every 50 types elsewhere.
func (p *printer) progress(s environment.Progress) {
	p.mu.Lock()
	p.progressed = s
	p.mu.Unlock()
	switch {
	case p.bar != nil && s.Done == s.Types:
		p.bar.clear()
		p.say("%d of %d types, %d objects, %d requests", s.Done, s.Types, s.Objects, s.Requests)
	case p.bar != nil:
		p.bar.draw(texts(s, ratelimit.State{}, time.Now())...)
	case p.enc == nil && (s.Done%50 == 0 || s.Done == s.Types):
		p.say("%d of %d types, %d objects, %d requests", s.Done, s.Types, s.Objects, s.Requests)
	}
}

// clear takes the bar away.
func (p *printer) clear() {
	if p.bar != nil {
		p.bar.clear()
	}
}

// wait shows what requests wait for: in the bar, or on stderr, once a minute at most.
func (p *printer) wait(quota ratelimit.State) {
	p.mu.Lock()
	s, now := p.progressed, time.Now()
	text := waits(quota, now)
	tell := p.bar == nil && text != "" && now.Sub(p.warned) >= time.Minute
	if tell {
		p.warned = now
	}
	p.mu.Unlock()
	switch {
	case tell:
		fmt.Fprintln(os.Stderr, text)
	case p.bar != nil && s.Types > 0 && s.Done < s.Types:
		p.bar.draw(texts(s, quota, now)...)
	case p.bar != nil && text != "":
		p.bar.draw(text)
	case p.bar != nil:
		p.bar.clear()
	}
}

// unreadable counts the types that the client may not read, or that the org
// does not have, and says of one why.
func (p *printer) unreadable(passes []environment.PassResult) {
	n, example := 0, ""
	for _, r := range passes {
		if r.Unavailable != "" {
			n++
			example = cmp.Or(example, r.Type+": "+r.Unavailable)
		}
	}
	if n > 0 {
		p.say("%d of these types cannot be read and are tried again once a day; %s", n, example)
	}
}

// change prints one change with its fields, before and after.
func (p *printer) change(_ context.Context, c history.Change) error {
	if p.enc != nil {
		fields := append([]diff.FieldChange{}, c.Fields...) // [], not absent, without fields
		c.Fields = nil
		return p.enc.Encode(struct {
			Event string `json:"event"`
			history.Change
			Fields []diff.FieldChange `json:"fields"`
		}{"change", c, fields})
	}
	what := fmt.Sprintf("%s %q", c.Type, c.Name)
	if c.Kind == history.KindShape {
		what = fmt.Sprintf("%s: the platform changed %d objects", c.Type, c.Number)
	}
	now := time.Now()
	_, err := fmt.Fprintf(p.out, "%-8s %s, between %s and %s\n", c.Kind, what, clock(now, c.After), clock(now, c.At))
	for _, f := range c.Fields {
		fmt.Fprintf(p.out, "         %s\n", f)
	}
	return err
}

func (p *printer) summary(err error) {
	p.clear()
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.result
	switch {
	case p.enc == nil:
		for _, f := range t.Failed {
			p.say("failed: %s", f.Error)
		}
	case err == nil || !errors.Is(err, genesys.ErrUnauthorized):
		_ = p.enc.Encode(t)
	}
}
