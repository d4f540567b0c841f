package genesystest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
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

// downloadURL leads to a file of an audit query's results.
func (o *Org) downloadURL(r *http.Request, id, cursor string, until time.Time) string {
	u := url.URL{Path: downloadsPath + id}
	u.Scheme, u.Host = o.downloadsHost(r)
	expires := strconv.FormatInt(until.Unix(), 10)
	u.RawQuery = url.Values{"cursor": {cursor}, "expires": {expires}, "signature": {o.signature(id, cursor, expires)}}.Encode()
	return u.String()
}

// answerDownload serves a file to whoever has its URL, and to nobody who shows a token besides.
func (o *Org) answerDownload(c *exchange) *reply {
	id, cursor, expires := strings.TrimPrefix(c.path, downloadsPath), c.query.Get("cursor"), c.query.Get("expires")
	if refused := o.checkSignature(c, expires, id, cursor, expires); refused != nil {
		return refused
	}
	q, found := o.auditQuery(id)
	if !found {
		return storageError(http.StatusNotFound, "NoSuchKey", "The specified key does not exist")
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
