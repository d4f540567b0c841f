package genesystest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A reply is an answer before it is sent: over a socket by ServeHTTP, in memory by Transport.
type reply struct {
	status int
	header http.Header
	body   []byte

	cut   bool          // end the connection half way through the body
	slow  time.Duration // take this long over the body
	reset bool          // break the connection instead of answering
}

func newReply(status int, body []byte) *reply {
	r := &reply{status: status, header: http.Header{}, body: body}
	r.header.Set("Content-Type", "application/json")
	return r
}

// answerJSON is a reply with a value as its body.
func answerJSON(status int, v any) *reply {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // all values are ours
	}
	return newReply(status, body)
}

// A detail of an error body.
type detail struct {
	ErrorCode string `json:"errorCode,omitempty"`
	FieldName string `json:"fieldName,omitempty"`
}

type limitValue struct {
	Key       string `json:"key"`
	Namespace string `json:"namespace"`
	Value     int    `json:"value"`
}

// An errorBody is the service's schema of errors.
type errorBody struct {
	Message           string            `json:"message"`
	Code              string            `json:"code"`
	Status            int               `json:"status"`
	MessageWithParams string            `json:"messageWithParams,omitempty"`
	MessageParams     map[string]string `json:"messageParams,omitempty"`
	ContextID         string            `json:"contextId"`
	Details           []detail          `json:"details"`
	Errors            []errorBody       `json:"errors"`
	Limit             *limitValue       `json:"limit,omitempty"`
}

// fail is a reply with an error body; finish fills in the correlation id.
func fail(status int, code, format string, args ...any) *reply {
	return failure(errorBody{Message: fmt.Sprintf(format, args...), Code: code, Status: status})
}

func failure(e errorBody) *reply {
	e.ContextID = contextMark
	e.Details, e.Errors = []detail{}, []errorBody{}
	return answerJSON(e.Status, e)
}

// contextMark stands for the correlation id until it is known.
const contextMark = "\x01context\x01"

var contextMarkJSON = bytes.Trim(quote(contextMark), `"`)

// finish gives a reply of the API the headers that all of them have.
func (r *reply) finish(correlationID string) {
	r.header.Set("ININ-Correlation-Id", correlationID)
	r.header.Set("Cache-Control", "no-cache, no-store, must-revalidate")
	r.header.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	if r.status >= 400 {
		r.body = bytes.ReplaceAll(r.body, contextMarkJSON, []byte(correlationID))
	}
}

// cloudFront is the page that the content network sends when the service behind it does not answer.
func cloudFront(status int) *reply {
	r := newReply(status, []byte(`<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">
<HTML><HEAD><META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=iso-8859-1">
<TITLE>ERROR: The request could not be satisfied</TITLE>
</HEAD><BODY>
<H1>`+strconv.Itoa(status)+` ERROR</H1>
<H2>The request could not be satisfied.</H2>
<HR noshade size="1px">
CloudFront attempted to establish a connection with the origin, but either the attempt failed or the origin closed the connection.
</BODY></HTML>
`))
	r.header.Set("Content-Type", "text/html")
	r.header.Set("X-Cache", "Error from cloudfront")
	r.header.Set("Server", "CloudFront")
	return r
}

// compress packs larger bodies for clients that ask for it, on their way over the network.
func (r *reply) compress(req *http.Request) {
	if len(r.body) < 1400 || !strings.Contains(req.Header.Get("Accept-Encoding"), "gzip") {
		return
	}
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level is a valid one
	_, _ = z.Write(r.body)                          // a buffer takes all
	_ = z.Close()
	r.body = b.Bytes()
	r.header.Set("Content-Encoding", "gzip")
	r.header.Set("Vary", "Accept-Encoding")
}
