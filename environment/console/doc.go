// Package console shows the environments of an Engine in a browser: what changed, how the
// polling does, and what of the quota is used. It is an http.Handler to mount in a program
// that has an Engine; nothing else is to be deployed.
//
//	handler, err := console.New(engine, nil)
//	http.ListenAndServe("127.0.0.1:8080", handler)
//
// The pages are plain HTML that works without JavaScript; a small script tells of new changes.
// Everything is served by the handler itself.
//
// # Who may see it
//
// By default the console answers requests for names of this machine only, such as
// localhost, so that no page of another site can have its own name point here and read.
// Options.Hosts names the hosts that it is reached by otherwise. What the caller may see
// is up to environment.Options.Authorize, which gets the context of the request: put the
// console behind the login of your program, and let that put who it is into the context, or
// let Options.Identify do so.
//
//	handler, err := console.New(engine, &console.Options{Base: "/config", Hosts: []string{"ops.example.com"}})
//	mux.Handle("/config/", login(handler)) // login is yours; no StripPrefix
//
// Authorize is asked about what the program itself does, too, with the context that it passes.
//
// The console shows and does nothing else, unless Options.Actions is set. Then forms poll a
// type, pause and resume an environment and accept withheld removals. Each is a POST that
// pages of other sites cannot send, and Authorize is asked about each.
//
// # What is in a page
//
// Values come from the org and are shown as text, whatever they hold; characters that control
// or turn a text are escaped. Secrets are in no page, because none is in the history, and the
// record of an environment is shown without its own. A page has a bounded size, and begins
// at once: what takes longer, such as where an object is used, is asked for by a link and
// given a few seconds.
package console
