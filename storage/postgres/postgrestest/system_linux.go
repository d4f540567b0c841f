package postgrestest

import "syscall"

// endWithParent makes a child end when the thread that has started it does.
// SIGQUIT is PostgreSQL's immediate shutdown, which takes its children along.
func endWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGQUIT }
