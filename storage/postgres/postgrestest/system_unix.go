//go:build unix

package postgrestest

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// Signals to the server.
const (
	immediate = syscall.SIGQUIT
	fast      = syscall.SIGINT
)

// attributes makes a child run as whom root runs the server as.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Credential: credential()} }

// credential returns whom root runs the server as, or nil for everyone else.
func credential() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	return nil
}

// handOver gives a folder to whom the server runs as.
func handOver(dir string) error {
	if c := credential(); c != nil {
		return os.Chown(dir, int(c.Uid), int(c.Gid))
	}
	return nil
}
