package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server that was started here.
type process struct {
	cmd  *exec.Cmd
	done chan error
}

// launch starts a server in a process group of its own.
func launch(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan error, 1)}
	go func() { p.done <- cmd.Wait() }()
	return p, nil
}

// stop asks the server to end, and insists after a while.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(15 * time.Second):
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
}

// waitFor polls an address until it answers 2xx.
func (p *process) waitFor(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode/100 == 2 {
				return nil
			}
		}
		select {
		case err := <-p.done:
			p.done <- err
			return fmt.Errorf("%s ended: %v", filepath.Base(p.cmd.Path), err)
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", address, errors.Join(ctx.Err(), err))
		case <-time.After(time.Millisecond):
		}
	}
}

// clockTick is the unit of CPU times in /proc, which Linux fixes at 10 ms.
const clockTick = 10 * time.Millisecond

// cpu is the CPU time that the server and its children have used.
func (p *process) cpu() (time.Duration, error) {
	pids, err := processGroup(p.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, pid := range pids {
		fields, err := statFields(pid)
		if err != nil {
			return 0, err
		}
		for _, field := range []int{13, 14} { // utime and stime, see proc(5)
			ticks, err := strconv.ParseInt(fields[field], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
			}
			sum += time.Duration(ticks) * clockTick
		}
	}
	return sum, nil
}

// settleTime is how long a server must use no CPU to have settled.
const settleTime = time.Second

// settle waits until the server has done what it does in the background.
func (p *process) settle(ctx context.Context) error {
	for before := time.Duration(-1); ; {
		used, err := p.cpu()
		if err != nil {
			return err
		}
		if used-before < 2*clockTick && before >= 0 {
			return nil
		}
		before = used
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(settleTime):
		}
	}
}

// processGroup lists the processes of a group.
func processGroup(group int) ([]int, error) {
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			continue
		}
		fields, err := statFields(pid)
		if err == nil && fields[4] == strconv.Itoa(group) {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return nil, fmt.Errorf("no process in group %d", group)
	}
	return pids, nil
}

// statFields splits /proc/PID/stat so that field n of proc(5) is at n-1. The
// command name may hold spaces and ends at the last parenthesis.
func statFields(pid int) ([]string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	text := string(data)
	i := strings.LastIndexByte(text, ')')
	fields := append([]string{"", ""}, strings.Fields(text[i+1:])...)
	if i < 0 || len(fields) < 20 {
		return nil, fmt.Errorf("/proc/%d/stat: %q", pid, text)
	}
	return fields, nil
}

// memory is what a process holds, in bytes.
type memory struct {
	resident  int64 // VmRSS: with the files it maps
	anonymous int64 // RssAnon: what only it has
	peak      int64 // VmHWM: the most that was resident
}

func (p *process) memory() (memory, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return memory{}, err
	}
	var m memory
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			continue
		}
		switch name {
		case "VmRSS":
			m.resident = kilobytes << 10
		case "RssAnon":
			m.anonymous = kilobytes << 10
		case "VmHWM":
			m.peak = kilobytes << 10
		}
	}
	return m, nil
}

// freePort finds a port of the loopback address that nobody listens on.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// ownCPU is the CPU time that this process has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return rusageCPU(&u)
}

func rusageCPU(u *syscall.Rusage) time.Duration {
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
