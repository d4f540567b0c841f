package ask

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/examples/internal/cli"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/internal/printable"
	"github.com/cxsync/cxsync/storage"
)

const (
	// Path is where Remote expects a Handler.
	Path = "/history"

	// handled is a header of every answer of a Handler.
	handled = "Cxsync-History"
	// failedLater is the trailer with the error of an answer that had begun.
	failedLater = "Cxsync-Error"
	// errorBytes is as much as is read of an error.
	errorBytes = 4 << 10
)

// Handler answers questions about an engine. The parameters of a request are the flags of one.
func Handler(engine *environment.Engine) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(handled, "1")
		q, err := parse(r.URL.Query())
		begun := &begun{w: w}
		if err == nil {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Trailer", failedLater)
			err = q.Answer(r.Context(), engine, begun)
		}
		switch {
		case err == nil:
		case begun.is:
			w.Header().Set(failedLater, printable.Text(err.Error()))
		default:
			w.Header().Del("Trailer")
			http.Error(w, printable.Text(err.Error()), statusOf(err))
		}
	})
}

// begun is an answer that knows whether a part of it is on its way.
type begun struct {
	w  io.Writer
	is bool
}

// Write implements io.Writer.
func (b *begun) Write(p []byte) (int, error) {
	b.is = true
	return b.w.Write(p)
}

// parse returns the question of a request.
func parse(parameters url.Values) (q Question, err error) {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	q.Flags(flags)
	for name, values := range parameters {
		if flags.Lookup(name) == nil {
			return q, badQuestion{fmt.Errorf("there is no parameter %q; want flags of examples/history such as type", name)}
		}
		for _, value := range values {
			if err := flags.Set(name, value); err != nil {
				return q, badQuestion{fmt.Errorf("%s: %w", name, err)}
			}
		}
	}
	return q, nil
}

func statusOf(err error) int {
	_, bad := errors.AsType[badQuestion](err)
	switch {
	case bad, errors.Is(err, cli.ErrChoose), errors.Is(err, history.ErrUnknown), errors.Is(err, history.ErrTrimmed), errors.Is(err, history.ErrUndone):
		return http.StatusBadRequest
	case errors.Is(err, environment.ErrNotFound), errors.Is(err, history.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, storage.ErrFailed), errors.Is(err, storage.ErrClosed):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Remote asks the Handler of the program at an address, such as http://127.0.0.1:8088, and prints
// its answer. The parameters are the flags of a Question that were set.
func Remote(ctx context.Context, address string, parameters url.Values, out io.Writer) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is no address; want one such as http://127.0.0.1:8088", address)
	}
	u = u.JoinPath(Path)
	u.RawQuery = parameters.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, errorBytes))
		return refusal(resp, text, err)
	}
	if err := tame(out, resp.Body); err != nil {
		return err
	}
	if text := resp.Trailer.Get(failedLater); text != "" {
		return errors.New(printable.Brief(text, errorBytes))
	}
	return nil
}

// refusal is the error of an answer that is none.
func refusal(resp *http.Response, text []byte, err error) error {
	switch {
	case err != nil:
		return err
	case resp.StatusCode == http.StatusNotFound && resp.Header.Get(handled) == "":
		asked := *resp.Request.URL
		asked.RawQuery = ""
		return fmt.Errorf("%s answers no questions: want the address of a running embed or console, such as http://127.0.0.1:8088", &asked)
	}
	return errors.New(printable.Brief(strings.TrimSpace(string(text)), errorBytes))
}

// tame copies lines, of which no character may act on the terminal, whoever answers.
func tame(out io.Writer, in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if _, err := cli.JSON(out).Write(line); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
