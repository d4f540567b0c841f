package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// An action does what a form asks for and returns the page to go on with, below the one of the
// environment.
type action func(ctx context.Context, id int64, form url.Values) (next string, err error)

const (
	formBytes = 1 << 20
	// pollFor is how long a pass may take that somebody waits for at a browser.
	pollFor = time.Minute
)

// do returns the handler of an action. What comes from another site was refused before.
func (c *console) do(act action) http.Handler {
	return c.show(func(r *request) error {
		id, err := r.id()
		if err != nil {
			return err
		}
		r.Body = http.MaxBytesReader(r.w, r.Body, formBytes)
		if err := r.ParseForm(); err != nil {
			return badRequest{err}
		}
		next, err := act(r.ctx, id, r.PostForm)
		if err != nil {
			return err
		}
		http.Redirect(r.w, r.Request, c.base+"/e/"+strconv.FormatInt(id, 10)+"/"+next, http.StatusSeeOther)
		return nil
	})
}

func (c *console) poll(ctx context.Context, id int64, form url.Values) (string, error) {
	typeName := form.Get("type")
	if typeName == "" {
		return "", badRequest{errors.New("which type is to be polled?")}
	}
	ctx, cancel := context.WithTimeout(ctx, pollFor)
	defer cancel()
	_, err := c.engine.Poll(ctx, id, typeName)
	return "type/" + url.PathEscape(typeName), err
}

func (c *console) pause(ctx context.Context, id int64, _ url.Values) (string, error) {
	return "types", c.engine.Pause(ctx, id)
}

func (c *console) resume(ctx context.Context, id int64, _ url.Values) (string, error) {
	return "types", c.engine.Resume(ctx, id)
}

func (c *console) accept(ctx context.Context, id int64, form url.Values) (string, error) {
	var ids []string
	for _, key := range form["key"] {
		objectID, err := url.QueryUnescape(key)
		if err != nil {
			return "", badRequest{err}
		}
		ids = append(ids, objectID)
	}
	if form.Get("type") == "" || len(ids) == 0 {
		return "", badRequest{errors.New("no object was chosen")}
	}
	return "withheld?done=1", c.engine.AcceptRemovals(ctx, id, form.Get("type"), ids...)
}
