package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
)

//go:embed nginx.conf.tmpl
var nginxConfig string

// nginx serves a folder.
type nginx struct {
	*process
	url    string
	remove func()
}

func startNginx(ctx context.Context, s *settings, files string) (*nginx, error) {
	dir, remove, err := s.folder("nginx")
	if err != nil {
		return nil, err
	}
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	config, err := os.Create(filepath.Join(dir, "nginx.conf"))
	if err != nil {
		return nil, err
	}
	defer config.Close()
	err = template.Must(template.New("").Parse(nginxConfig)).Execute(config, map[string]any{
		"Dir": dir, "Address": address, "Files": files, "Root": os.Geteuid() == 0,
	})
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(s.Nginx, "-p", dir, "-c", config.Name(), "-e", filepath.Join(dir, "error.log"))
	cmd.Stderr = os.Stderr
	p, err := launch(cmd)
	if err != nil {
		return nil, fmt.Errorf("start nginx: %w", err)
	}
	n := &nginx{process: p, url: "http://" + address, remove: remove}
	if err := p.waitFor(ctx, n.url+"/ready"); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

func (n *nginx) close() {
	n.stop()
	n.remove()
}
