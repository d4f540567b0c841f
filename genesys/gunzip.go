package genesys

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// Pages come compressed, about one to eight, and to decompress them is the largest part of a pass
// in which nothing has changed. net/http would do it without being asked. It is done here because
// this decompressor takes two thirds of the time and its memory is used again.

// acceptGzip asks for a compressed answer, unless the caller has said what to accept.
func acceptGzip(r *http.Request) {
	if r.Header.Get("Accept-Encoding") == "" {
		r.Header.Set("Accept-Encoding", "gzip")
	}
}

// gunzip makes an answer what it would be had it not been compressed, as net/http does.
func gunzip(r *http.Response) {
	if r.ContentLength == 0 || !strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		return
	}
	r.Body = &zippedBody{zipped: r.Body}
	r.Header.Del("Content-Encoding")
	r.Header.Del("Content-Length")
	r.ContentLength, r.Uncompressed = -1, true
}

// gunzippers are used again, with their 40 KB of memory.
var gunzippers = sync.Pool{New: func() any { return new(gzip.Reader) }}

// A zippedBody decompresses a body while it is read.
type zippedBody struct {
	zipped io.ReadCloser
	gunzip *gzip.Reader // nil before the first Read, and after Close
	err    error        // that ended the body
}

func (b *zippedBody) Read(p []byte) (n int, err error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.gunzip == nil {
		b.gunzip = gunzippers.Get().(*gzip.Reader)
		b.err = b.gunzip.Reset(b.zipped) // io.EOF if there is nothing
	}
	if b.err == nil {
		n, b.err = b.gunzip.Read(p)
	}
	return n, b.err
}

func (b *zippedBody) Close() error {
	if b.gunzip != nil {
		gunzippers.Put(b.gunzip)
		b.gunzip = nil
	}
	b.err = http.ErrBodyReadAfterClose
	return b.zipped.Close()
}
