package diff

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
)

// FuzzRules compiles paths that a person may write, and compares bodies under them as the reference does.
func FuzzRules(f *testing.F) {
	for n, path := range []string{"selfUri", "**.selfUri", "a.*.b", "members.name", `x\.y`, "a.**", "**.a.*.b.**", "", "a..b", "*", "**", `a\`, "a*", `\q`} {
		g := newGenerator(uint64(n))
		a := g.body()
		f.Add(path, "skills", g.text(a), g.text(g.mutate(a)))
		f.Add("x", path, g.text(a), g.text(g.mutate(a)))
	}
	f.Fuzz(func(t *testing.T, ignore, set string, a, b []byte) {
		defer bounded.Start(t)()
		s := Rules{Ignore: []string{ignore}, Sets: []string{set}}
		c, err := Compile(s)
		if err != nil {
			require.Regexp(t, "^diff: ", err.Error())
			return
		}
		twice, err := Compile(Rules{Ignore: []string{ignore, ignore}, Sets: []string{set}})
		require.NoError(t, err)
		require.Equal(t, c.Fingerprint(), twice.Fingerprint())
		if strings.Contains(strings.ReplaceAll(ignore+set, `\.`, ""), `\`) || strings.Count(ignore+set, "**") > 6 || strings.ContainsRune(ignore+set, 0) {
			t.Skip("the reference does not know these, or takes too long")
		}
		for _, body := range [][]byte{a, b} {
			if _, err := c.Canonical(nil, body); err != nil || greatPower.Match(body) {
				return
			}
		}
		checkPair(t, c, s, a, b)
	})
}
