package diff

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// corpusRules are the rules for the bodies that corpus makes.
var corpusRules = Rules{
	Ignore: []string{"dateModified", "version", "modifiedBy", "presence.modifiedDate", "lastLogin", "memberCount", "steps.ui", "**.selfUri"},
	Sets:   []string{"skills"},
}

// corpus returns a body of about size bytes that is like those of Genesys Cloud: identifiers, names, nested references,
// a set, and a long list of objects. Revision 1 differs from 0 in what is ignored and, if changed, in a few fields.
func corpus(size, revision int, changed bool) []byte {
	guid := func(n int) string { return fmt.Sprintf("%08x-4a5b-4c6d-8e7f-%012x", uint32(n)*2654435761, n*40503) }
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"id":%q,"name":"Customer Care 24/7","description":"Second level, \"gold\" customers — é","version":%d,`, guid(1), 17+revision)
	fmt.Fprintf(&b, `"dateModified":"2026-11-0%dT08:15:30.123Z","modifiedBy":%q,"memberCount":%d,`, 1+revision, guid(2+revision), 100+revision)
	fmt.Fprintf(&b, `"division":{"id":%q,"name":"Home","selfUri":"/api/v2/authorization/divisions/%s"},"acwSettings":{"wrapupPrompt":"MANDATORY_TIMEOUT","timeoutMs":300000},`, guid(3), guid(3))
	b.WriteString(`"enabled":true,"whisper":null,"serviceLevel":{"percentage":0.8,"durationMs":20000},"skills":[`)
	for i := range 3 {
		fmt.Fprintf(&b, `{"id":%q,"proficiency":%d.0},`, guid(10+(i+revision)%3), 1+(i+revision)%3)
	}
	fmt.Fprintf(&b, `{"id":%q,"proficiency":5.0}],"steps":[`, guid(20))
	for i := 0; b.Len() < size-300; i++ {
		if changed && i == 2 {
			continue
		}
		if i > 0 {
			b.WriteByte(',')
		}
		name := fmt.Sprint("Step ", i)
		if changed && (i == 1 || i == 40) {
			name += " (new)"
		}
		fmt.Fprintf(&b, `{"id":%q,"name":%q,"type":"TransferToAcd","timeout":%d,"enabled":%v,"ui":{"x":%d,"y":%d},`, guid(100+i), name, 30+i%5, i%3 > 0, i*20, revision)
		fmt.Fprintf(&b, `"target":{"queueId":%q,"priority":%d,"preferred":[%q,%q]},"selfUri":"/api/v2/flows/steps/%s"}`, guid(1000+i%10), i%10, guid(2000+i), guid(3000+i), guid(100+i))
	}
	fmt.Fprintf(&b, `],"selfUri":"/api/v2/routing/queues/%s"}`, guid(1))
	return b.Bytes()
}

// bench runs what prepare returns for bodies of 2, 20 and 500 KB.
func bench(b *testing.B, name string, prepare func(size int) func() error) {
	b.Helper()
	for _, size := range []int{2_000, 20_000, 500_000} {
		b.Run(fmt.Sprintf("%s/%dKB", name, size/1000), func(b *testing.B) {
			run := prepare(size)
			b.SetBytes(int64(len(corpus(size, 0, false))))
			b.ReportAllocs()
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var errWrong = errors.New("wrong answer")

// BenchmarkDetect compares ways to find that a body has not changed.
func BenchmarkDetect(b *testing.B) {
	c := compile(b, corpusRules)
	bench(b, "Digest", func(size int) func() error {
		want, again := digest(b, c, corpus(size, 0, false)), corpus(size, 1, false)
		if digest(b, c, corpus(size, 0, true)) == want {
			b.Fatal("the digest hides a change")
		}
		return func() error {
			got, err := c.Digest(&secret, again)
			if err == nil && got != want {
				err = errWrong
			}
			return err
		}
	})
	bench(b, "RawDigest", func(size int) func() error {
		body := corpus(size, 0, false)
		want := RawDigest(&secret, body)
		return func() error {
			if RawDigest(&secret, body) != want {
				return errWrong
			}
			return nil
		}
	})
	bench(b, "Skip", func(size int) func() error {
		body := corpus(size, 0, false)
		return func() error {
			_, err := jsonscan.Skip(body, 0)
			return err
		}
	})
	bench(b, "Canonical", func(size int) func() error {
		body := corpus(size, 0, false)
		var dst []byte
		return func() (err error) {
			dst, err = c.Canonical(dst[:0], body)
			return err
		}
	})
	bench(b, "SHA256", func(size int) func() error {
		body := corpus(size, 0, false)
		want := sha256.Sum256(body)
		return func() error {
			if sha256.Sum256(body) != want {
				return errWrong
			}
			return nil
		}
	})
	bench(b, "DeepEqual", func(size int) func() error {
		body := corpus(size, 0, false)
		return func() error {
			var x, y any
			if json.Unmarshal(body, &x) != nil || json.Unmarshal(body, &y) != nil || !reflect.DeepEqual(x, y) {
				return errWrong
			}
			return nil
		}
	})
}

// BenchmarkDiff compares and edits bodies in which two elements of a list have changed and one is gone.
func BenchmarkDiff(b *testing.B) {
	c := compile(b, corpusRules)
	prepare := func(size int) (old, new []byte) {
		return canonical(b, c, corpus(size, 0, false)), canonical(b, c, corpus(size, 1, true))
	}
	bench(b, "Diff", func(size int) func() error {
		old, new := prepare(size)
		return func() error {
			_, err := c.Diff(old, new)
			return err
		}
	})
	bench(b, "Apply", func(size int) func() error {
		old, new := prepare(size)
		changes := checkDiff(b, c, old, new)
		return func() error {
			_, err := Apply(old, changes)
			return err
		}
	})
}
