// Package browser looks at the console with a real browser.
package browser

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var (
	shots  = flag.String("shots", "", "keep the pictures of the pages in this `folder`")
	readme = flag.String("readme", "", "write the picture for the README to this `file`")
)

// A screen is a way to look at a page.
type screen struct {
	name       string
	width      int64
	dark, noJS bool
	isChecked  bool // by axe, whose findings depend on the colours and on what folds
}

var screens = []screen{
	{name: "wide-light", width: 1280, isChecked: true},
	{name: "wide-dark", width: 1280, dark: true},
	{name: "narrow-light", width: 360},
	{name: "narrow-dark", width: 360, dark: true, isChecked: true},
	{name: "narrow-nojs", width: 360, noJS: true},
}

// Every page is whole on a phone and on a desk, by day and by night, and without JavaScript:
// nothing leaves the page at its side, the browser has nothing to complain about, and neither
// has a checker for people who see or point differently.
func TestEveryPageOnEveryScreen(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: apt-get install chromium")
	}
	axe, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Skip("axe-core is not installed: npm ci --prefix internal/browser")
	}
	folder := *shots
	if folder == "" {
		folder = t.TempDir()
	}
	w := newWorld(t, true)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	b := startBrowser(t, chromium)
	pages := w.pages(t)
	for _, s := range screens {
		t.Run(s.name, func(t *testing.T) {
			tab := b.open(t, s)
			for _, p := range pages {
				t.Run(p.name, func(t *testing.T) {
					tab.show(t, server.URL+p.address, p.missing)
					if !s.noJS {
						tab.check(t, string(axe))
					}
					require.NoError(t, os.WriteFile(filepath.Join(folder, p.name+"-"+s.name+".png"), tab.picture(t, 2400), 0o600))
				})
			}
		})
	}
}

// The picture of the README is one of the console as it is.
func TestPictureOfTheREADME(t *testing.T) {
	if *readme == "" {
		t.Skip("no -readme")
	}
	chromium, err := exec.LookPath("chromium")
	require.NoError(t, err)
	server := httptest.NewServer(newWorld(t, false).handler)
	defer server.Close()
	tab := startBrowser(t, chromium).open(t, screen{width: 1000})
	tab.show(t, server.URL+"/e/1/", false)
	end, err := chromedp.Run(tab.ctx, chromedp.Evaluate[float64](`document.querySelectorAll(".entry")[3].getBoundingClientRect().bottom`))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(*readme, tab.picture(t, end), 0o644))
}

// A browser is a Chromium without a window.
type browser struct{ ctx context.Context } //nolint:containedctx // chromedp keeps the browser in it

func startBrowser(t *testing.T, path string) *browser {
	t.Helper()
	opts := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir())}
	for _, name := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync", "hide-scrollbars",
	} {
		opts = append(opts, chromedp.Flag(name, true))
	}
	ctx, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); stop() })
	require.NoError(t, chromedp.Do(ctx))
	return &browser{ctx}
}

// A tab shows pages on one screen.
type tab struct {
	ctx    context.Context //nolint:containedctx // chromedp keeps the tab in it
	screen screen

	mu         sync.Mutex
	complaints []string
}

// call is an action that sends one command.
func call[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

func (b *browser) open(t *testing.T, s screen) *tab {
	t.Helper()
	ctx, stop := chromedp.NewContext(b.ctx)
	t.Cleanup(stop)
	tab := &tab{ctx: ctx, screen: s}
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	require.NoError(t, chromedp.Do(ctx))
	require.NoError(t, chromedp.Listen(ctx, tab.listen))
	require.NoError(t, chromedp.Do(ctx,
		call(log.Enable, cdp.Empty{}), call(network.Enable, network.EnableParams{}), call(runtime.Enable, cdp.Empty{}),
		call(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: s.width, Height: 800, DeviceScaleFactor: 1, Mobile: s.width < 500}),
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}),
		call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: s.noJS}),
	))
	return tab
}

// listen keeps what the browser complains about.
func (tab *tab) listen(event any) {
	complaint := ""
	switch e := event.(type) {
	case *log.EventEntryAdded:
		complaint = fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL)
	case *runtime.EventConsoleAPICalled:
		complaint = fmt.Sprintf("console.%s", e.Type)
	case *runtime.EventExceptionThrown:
		complaint = e.ExceptionDetails.Text
	case *network.EventLoadingFailed:
		complaint = "not loaded: " + e.ErrorText
	default:
		return
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.complaints = append(tab.complaints, complaint)
}

// show goes to a page, about which the browser must not complain, unless it is missing: then
// about that only.
func (tab *tab) show(t *testing.T, address string, missing bool) {
	t.Helper()
	tab.mu.Lock()
	tab.complaints = nil
	tab.mu.Unlock()
	ctx, stop := context.WithTimeout(tab.ctx, time.Minute)
	defer stop()
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(address), chromedp.WaitReady("main")))
	tab.mu.Lock()
	defer tab.mu.Unlock()
	complaints := slices.DeleteFunc(tab.complaints, func(c string) bool { return missing && strings.Contains(c, "404") })
	require.Empty(t, complaints, address)
}

// check looks for what does not fit on the screen, and for what not everybody could use.
func (tab *tab) check(t *testing.T, axe string) {
	t.Helper()
	beside, err := chromedp.Run(tab.ctx, chromedp.Evaluate[[]string](`
		document.documentElement.scrollWidth <= innerWidth ? [] :
		[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + "." + e.className)`))
	require.NoError(t, err)
	require.Empty(t, beside, "beside the screen")
	if !tab.screen.isChecked {
		return
	}
	_, err = chromedp.Run(tab.ctx, chromedp.Evaluate[bool](axe+"; true"))
	require.NoError(t, err)
	found, err := chromedp.Run(tab.ctx, chromedp.Evaluate[[]string](`axe.run(document, {resultTypes: ["violations"]}).then(r =>
		r.violations.map(v => v.impact + " " + v.id + ": " + v.help + " " + v.nodes.slice(0, 3).map(n => n.html).join(" ")))`, chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	require.Empty(t, found)
}

// picture takes a picture of the whole page, of so much of it as one can look at.
func (tab *tab) picture(t *testing.T, tallest float64) []byte {
	t.Helper()
	png, err := chromedp.Run(tab.ctx, func(ctx context.Context, target *chromedp.Target) ([]byte, error) {
		size, err := cdp.Call(ctx, target, page.GetLayoutMetrics, cdp.Empty{})
		if err != nil {
			return nil, err
		}
		clip := &page.Viewport{Width: float64(tab.screen.width), Height: min(size.CSSContentSize.Height, tallest), Scale: 1}
		shot, err := cdp.Call(ctx, target, page.CaptureScreenshot, page.CaptureScreenshotParams{Clip: clip, CaptureBeyondViewport: new(true)})
		return shot.Data, err
	})
	require.NoError(t, err)
	return png
}
