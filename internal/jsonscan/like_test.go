package jsonscan_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/cxsync/cxsync/internal/bounded"
	"github.com/cxsync/cxsync/internal/jsonscan"
)

// checkLike reads text as one that is like other, and compares with reading it alone.
func checkLike(t *testing.T, text, other []byte) {
	t.Helper()
	it, like, plain := jsonscan.Members(text), jsonscan.Members(other), jsonscan.Members(text)
	for more := true; more; {
		more = plain.Next()
		like.NextLike(nil)
		if got := it.NextLike(&like); got != more || !bytes.Equal(it.Key(), plain.Key()) || !bytes.Equal(it.Value(), plain.Value()) {
			t.Fatalf("%.200q like %.200q: %v, %s: %s, want %v, %s: %s", text, other, got, it.Key(), it.Value(), more, plain.Key(), plain.Value())
		}
		if more {
			checkParts(t, it.Value(), it.Parts(), nil)
		}
	}
	checkError(t, text, it.Err(), plain.Err())
	likely, _ := jsonscan.Split(other, nil)
	parts, err := jsonscan.Split(text, likely)
	checkParts(t, text, parts, err)
}

// checkParts compares with the elements of text, or with none if it is no array.
func checkParts(t *testing.T, text []byte, parts [][]byte, err error) {
	t.Helper()
	var want [][]byte
	it := jsonscan.Elements(text)
	for it.Next() {
		want = append(want, it.Value())
	}
	if it.Err() != nil {
		want = nil
	}
	if !slices.EqualFunc(parts, want, bytes.Equal) {
		t.Fatalf("the parts of %.200q are %q, want %q", text, parts, want)
	}
	if len(text) > 0 && text[0] == '[' {
		checkError(t, text, err, it.Err())
	}
}

func checkError(t *testing.T, text []byte, err, want error) {
	t.Helper()
	if (err == nil) != (want == nil) || err != nil && err.Error() != want.Error() {
		t.Fatalf("%.200q: %v, want %v", text, err, want)
	}
}

// alike are pairs of texts that share much.
var alike = [][2]string{
	{`[1,"a",[1]]`, `[12, 1,"a" ,"ab","a",[1],[1,2],1]`},
	{`[1,2,3,4,5,6]`, `[2,5,6,1]`},
	{`[1]`, `[1`},
	{`[1]`, `[1}`},
	{`[1]`, `[1]x`},
	{`[1]`, `[1,`},
	{`[1]`, `[,1]`},
	{`[]`, ` [ ] `},
	{`{"a":[1,2],"b":{"c":1}}`, `{"a":[1,3,2],"b":{"c":1}}`},
	{`{"a":[1],"b":[2]}`, `{"a":[1],"b":[2,2],"c":[]}`},
	{`{"a":[1],"b":2}`, `{"a":[1],"b":[1]}`},
	{`{"a":1}`, `{"a":12}`},
	{`{"a":1}`, `{"a":1 }`},
	{`{"a":[1]}`, `{"a":[1}`},
	{`{"a":1}`, `{"a":,}`},
	{`{}`, `{"a":[[1]]}`},
}

func TestLike(t *testing.T) {
	for _, pair := range alike {
		checkLike(t, []byte(pair[0]), []byte(pair[1]))
		checkLike(t, []byte(pair[1]), []byte(pair[0]))
	}
	inner := deep(jsonscan.MaxDepth-1, "[", "]")
	for _, text := range []string{inner, "[" + inner + "]", `{"a":[` + inner + "]}"} {
		checkLike(t, []byte(text), []byte("[]"))
		checkLike(t, []byte("["+text+"]"), []byte("[]"))
	}
}

func FuzzLike(f *testing.F) {
	for _, pair := range alike {
		f.Add([]byte(pair[0]), []byte(pair[1]))
		f.Add([]byte(pair[1]), []byte(pair[0]))
	}
	f.Fuzz(func(t *testing.T, text, other []byte) {
		defer bounded.Start(t)()
		checkLike(t, text, other)
	})
}
