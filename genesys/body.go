package genesys

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Bodies are read to their end before anybody looks at them. So a cut answer is a failed try, which
// is sent again, and no reader meets the end of a connection in the middle of a page.

// wholeBody is a body that has been read.
type wholeBody struct {
	data []byte
	bytes.Reader
	opened bool
}

func (b *wholeBody) Read(p []byte) (int, error) {
	if !b.opened {
		b.opened = true
		b.Reset(b.data)
	}
	return b.Reader.Read(p)
}

func (b *wholeBody) Close() error { return nil }

// bodyOf returns the bytes of a body that has been read.
func bodyOf(r *http.Response) []byte {
	if b, ok := r.Body.(*wholeBody); ok {
		return b.data
	}
	return nil
}

// errTooLarge reports a body beyond Options.MaxBody.
var errTooLarge = errors.New("the answer is larger than Options.MaxBody")

// readBody also returns what came of a body that it could not read to its end.
func (c *Client) readBody(r *http.Response) ([]byte, error) {
	defer r.Body.Close()
	if b, ok := r.Body.(*wholeBody); ok {
		return b.data, nil
	}
	if r.ContentLength > c.opts.MaxBody {
		return nil, errTooLarge
	}
	body, err := readChunks(io.LimitReader(r.Body, c.opts.MaxBody+1))
	c.stats.bytes.Add(int64(len(body)))
	if err == nil && int64(len(body)) > c.opts.MaxBody {
		return body[:min(len(body), 64<<10)], errTooLarge // no more than an error's text
	}
	return body, err
}

// chunks are what bodies are read into, one after the other. Those of a very large body are let go.
var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

const (
	chunkSize  = 128 << 10
	keptChunks = 16
)

// readChunks reads all there is. How much that is shows only at its end; so it is read into chunks
// that are used again, and an answer allocates no more than it needs.
func readChunks(r io.Reader) ([]byte, error) {
	var used []*[chunkSize]byte
	var parts [][]byte
	var err error
	for err == nil {
		chunk := chunks.Get().(*[chunkSize]byte)
		n := 0
		for more := 0; err == nil && n < len(chunk); n += more {
			more, err = r.Read(chunk[n:])
		}
		used, parts = append(used, chunk), append(parts, chunk[:n])
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	body := bytes.Join(parts, nil)
	for _, chunk := range used[:min(len(used), keptChunks)] {
		chunks.Put(chunk)
	}
	return body, err
}

// wholeJSON tells a body that may be JSON from an HTML page or a cut one, by
// its two ends; the walk over it finds the rest. An empty body is left to the reader.
func wholeJSON(body []byte) bool {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return true
	}
	first, last := body[0], body[len(body)-1]
	switch first {
	case '{', '[':
		return last == first+2
	case '"':
		return last == '"'
	}
	return first == '-' || first >= '0' && first <= '9' || first == 't' || first == 'f' || first == 'n'
}

// isAnswer reports whether a success can be what was asked for: JSON, or a text if that is wanted.
// A gateway that wants a login answers with a page and a success as well; where JSON is wanted that
// shows by itself, where a text is wanted by the correlation id that only the API's answers have.
func isAnswer(r *http.Response, body []byte, text bool) bool {
	if !text {
		return wholeJSON(body)
	}
	return r.Header.Get(correlationHeader) != "" || !isHTML(r, body)
}

// isHTML reports whether an answer is a page for a browser.
func isHTML(r *http.Response, body []byte) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/html") || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// A brokenError is an answer that came, and is not what was asked for: it says nothing, and it is no
// failure of the network.
type brokenError struct {
	want, text string
}

func (e *brokenError) Error() string {
	return fmt.Sprintf("the answer is not %s: %.100q", e.want, e.text)
}
