package genesystest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	downloadsPath = "/downloads/audits/"
	downloadLife  = time.Minute
)

// handOut answers with the URL of a file instead of the results themselves.
func (o *Org) handOut(c *exchange, q auditQuery) *reply {
	link := o.downloadURL(c.r, q.ID, c.query.Get("cursor"), time.Now().Add(downloadLife))
	if o.opts.DownloadLinks {
		return answerJSON(http.StatusOK, map[string]string{"id": q.ID, "downloadUrl": link})
	}
	r := newReply(http.StatusSeeOther, nil)
	r.header.Set("Location", link)
	return r
}

// downloadURL is on another host than the API, as far as there is one.
func (o *Org) downloadURL(r *http.Request, id, cursor string, until time.Time) string {
	u := url.URL{Scheme: "https", Host: "downloads." + o.opts.Domain, Path: downloadsPath + id}
	if r.URL.Host == "" { // over a socket
		host, port, _ := net.SplitHostPort(r.Host)
		other := "localhost"
		if host == other {
			other = "127.0.0.1"
		}
		u.Scheme, u.Host = "http", net.JoinHostPort(other, port)
	}
	expires := strconv.FormatInt(until.Unix(), 10)
	u.RawQuery = url.Values{"cursor": {cursor}, "expires": {expires}, "signature": {o.signature(id, cursor, expires)}}.Encode()
	return u.String()
}

func (o *Org) signature(parts ...string) string {
	return makeUUID(hashText(o.opts.Seed^0x7369676e, strings.Join(parts, "\n")), 0, 0)
}

// answerDownload serves a file to whoever has its URL, and to nobody who shows a token besides.
func (o *Org) answerDownload(c *exchange) *reply {
	id, cursor, expires := strings.TrimPrefix(c.path, downloadsPath), c.query.Get("cursor"), c.query.Get("expires")
	until, err := strconv.ParseInt(expires, 10, 64)
	q, found := o.auditQuery(id)
	switch {
	case c.r.Header.Get("Authorization") != "":
		return storageError(http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed")
	case !found || err != nil || c.query.Get("signature") != o.signature(id, cursor, expires):
		return storageError(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature does not match")
	case !time.Now().Before(time.Unix(until, 0)):
		return storageError(http.StatusForbidden, "AccessDenied", "Request has expired")
	}
	page, refused := o.auditPage(q, cursor, o.opts.DownloadAbove, true)
	if refused != nil {
		return refused
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(page); err != nil {
		panic(err) // all values are ours
	}
	_ = z.Close() // a buffer takes all
	r := newReply(http.StatusOK, b.Bytes())
	r.header.Set("Content-Type", "application/gzip")
	return r
}

func storageError(status int, code, message string) *reply {
	r := newReply(status, []byte(`<?xml version="1.0" encoding="UTF-8"?>`+"\n<Error><Code>"+code+"</Code><Message>"+message+"</Message></Error>"))
	r.header.Set("Content-Type", "application/xml")
	return r
}

// fileURL leads to a file that the org serves: a recording, an upload.
func (o *Org) fileURL(kind, name string) string {
	return "https://downloads." + o.opts.Domain + "/downloads/" + kind + "/" + name
}
