package postgrestest

import (
	"os"
	"os/exec"
	"runtime"
	"time"
)

// A process is a server that runs.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// spawn starts cmd. Where the system can, the process ends with this one: that
// hangs on the thread that has started it, so the thread waits for it too.
func spawn(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = attributes()
	endWithParent(cmd.SysProcAttr)
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(p.done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ends is in its log
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// end sends the signal and waits until the process has ended, or kills it.
func (p *process) end(sig os.Signal) {
	_ = p.cmd.Process.Signal(sig) // fails if it has ended
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}
