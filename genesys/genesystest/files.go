package genesystest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Files, such as the recordings of prompts, have addresses that are signed anew
// in every answer and good for an hour. Whoever has one needs no token. Pictures
// have addresses that are not signed and stay. All are on another host than the
// API, which the org answers for as well.

const (
	filesPath = "/downloads/"
	fileLife  = time.Hour
	unsigned  = "?signature=none" // what a body has until it is sent
)

// fileURL leads to a file that the org serves: a recording, an upload. Answers sign it.
func (o *Org) fileURL(kind, name string) string {
	return "https://downloads." + o.opts.Domain + filesPath + kind + "/" + name + unsigned
}

// unsignedBody is a body with the addresses of files as they are before they are signed.
func unsignedBody(body json.RawMessage) json.RawMessage {
	if bytes.Contains(body, []byte(unsigned)) {
		return bytes.ReplaceAll(body, []byte(unsigned), nil)
	}
	return body
}

// downloadsHost is where an answer's files are: downloads.<domain>, or, over a
// socket, the same machine under another name.
func (o *Org) downloadsHost(r *http.Request) (scheme, host string) {
	if r.URL.Host != "" {
		return "https", "downloads." + o.opts.Domain
	}
	name, port, _ := net.SplitHostPort(r.Host)
	other := "localhost"
	if name == other {
		other = "127.0.0.1"
	}
	return "http", net.JoinHostPort(other, port)
}

// sign completes the addresses of the files that an answer names.
func (o *Org) sign(r *http.Request, rep *reply) {
	prefix := "https://downloads." + o.opts.Domain + filesPath
	if !bytes.Contains(rep.body, []byte(prefix)) {
		return
	}
	scheme, host := o.downloadsHost(r)
	expires := strconv.FormatInt(time.Now().Add(fileLife).Unix(), 10)
	nonce := strconv.Itoa(o.access.requests)
	var out []byte
	for rest := rep.body; ; {
		before, after, found := bytes.Cut(rest, []byte(prefix))
		out = append(out, before...)
		if !found {
			break
		}
		out = append(out, scheme+"://"+host+filesPath...)
		name, end, signs := bytes.Cut(after, []byte(unsigned))
		if !signs || bytes.IndexByte(name, '"') >= 0 { // a picture, or an address that somebody wrote
			rest = after
			continue
		}
		out = append(out, name...)
		out = append(out, "?expires="+expires+"&nonce="+nonce+"&signature="+o.signature(string(name), nonce, expires)...)
		rest = end
	}
	rep.body = out
}

// answerFile serves a file to whoever has its signed address.
func (o *Org) answerFile(c *exchange) *reply {
	name := strings.TrimPrefix(c.path, filesPath)
	expires := c.query.Get("expires")
	if strings.HasPrefix(name, "pictures/") { // public
		r := newReply(http.StatusOK, []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"))
		r.header.Set("Content-Type", "image/gif")
		return r
	}
	if refused := o.checkSignature(c, expires, name, c.query.Get("nonce"), expires); refused != nil {
		return refused
	}
	r := newReply(http.StatusOK, silence(name))
	r.header.Set("Content-Type", "audio/wav")
	return r
}

// checkSignature refuses an address that is not signed, that is too old, or that
// comes with a token, which would have been shown to a stranger.
func (o *Org) checkSignature(c *exchange, expires string, signed ...string) *reply {
	until, err := strconv.ParseInt(expires, 10, 64)
	switch {
	case c.r.Header.Get("Authorization") != "":
		return storageError(http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed")
	case err != nil || c.query.Get("signature") != o.signature(signed...):
		return storageError(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature does not match")
	case !time.Now().Before(time.Unix(until, 0)):
		return storageError(http.StatusForbidden, "AccessDenied", "Request has expired")
	}
	return nil
}

// silence is a short recording of a length that depends on its name: 8,000
// samples a second, a byte each.
func silence(name string) []byte {
	samples := 800 + int(hashText(0, name)%1600)
	b := bytes.NewBufferString("RIFF")
	put := func(v any) { _ = binary.Write(b, binary.LittleEndian, v) } // a buffer takes all
	put(uint32(36 + samples))
	b.WriteString("WAVEfmt ")
	put([]uint32{16})
	put([]uint16{1, 1})
	put([]uint32{8000, 8000})
	put([]uint16{1, 8})
	b.WriteString("data")
	put(uint32(samples))
	b.Write(bytes.Repeat([]byte{0x80}, samples))
	return b.Bytes()
}

func (o *Org) signature(parts ...string) string {
	return makeUUID(hashText(o.opts.Seed^0x7369676e, strings.Join(parts, "\n")), 0, 0)
}

func storageError(status int, code, message string) *reply {
	r := newReply(status, []byte(`<?xml version="1.0" encoding="UTF-8"?>`+"\n<Error><Code>"+code+"</Code><Message>"+message+"</Message></Error>"))
	r.header.Set("Content-Type", "application/xml")
	return r
}
