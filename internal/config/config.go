// Package config declares every setting of a hub once: its flag, its PANTRY_*
// variable, its key in the configuration file, its default and its help. The
// struct tags are read by the command line (internal/cli); the reference in
// docs/configuration.md is checked against them by a test.
package config

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
)

// Storage says where state lives. It is all that commands beside a running
// server need.
type Storage struct {
	Data     string `default:"./pantry-data" placeholder:"DIR" help:"Folder for everything that is kept locally. Made if it does not exist. Default: ${default}."`
	Database string `placeholder:"URL" help:"Database: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME. Default: sqlite in the data folder."`
	Bucket   string `placeholder:"DIR|URL" help:"Where large files are kept: a folder, or s3://BUCKET/PREFIX?endpoint=URL&region=NAME with credentials from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Default: a folder in the data folder."`
}

// Config is every setting of a server.
type Config struct {
	Storage `embed:""`

	Listen         string   `default:"localhost:7272" placeholder:"ADDR" help:"Address to listen on. Use :7272 to be reached from other machines. Default: ${default}."`
	PublicURL      string   `name:"public-url" placeholder:"URL" help:"Address that people and clients use, such as https://hub.example.org. Default: whatever host a client used to get here."`
	TrustedProxies []string `name:"trusted-proxies" placeholder:"ADDR" help:"Addresses or prefixes (10.0.0.0/8) of proxies in front of the hub, whose X-Forwarded-For is believed. Rate limits are per client address."`
	SignUp         bool     `name:"sign-up" default:"true" negatable:"" help:"Let anybody who can reach the hub make an account."`

	CacheSize int64 `name:"cache-size" default:"10000000000" placeholder:"BYTES" help:"Disk in the data folder for copies of files that are downloaded often, so that they need not be inflated or fetched each time. They leave 5 GB, or a tenth of a small disk, free. 0 keeps none. Default: ${default}."`

	LFSMultipartAbove int64 `name:"lfs-multipart-above" default:"5000000000" placeholder:"BYTES" help:"Split LFS uploads over this size into parts, for clients that can. Lower it behind a proxy that limits request bodies. Default: ${default}."`
	LFSPartSize       int64 `name:"lfs-part-size" default:"100000000" placeholder:"BYTES" help:"Size of the parts. Default: ${default}."`

	LogLevel  string `default:"info" enum:"debug,info,warn,error" help:"Least severe messages to log: ${enum}."`
	LogFormat string `default:"text" enum:"text,json" help:"Log as ${enum}."`
}

// DatabaseURL is where the database is.
func (s Storage) DatabaseURL() string {
	if s.Database != "" {
		return s.Database
	}
	return "sqlite:" + filepath.Join(s.Data, "pantry.db")
}

// BucketLocation is where large files are.
func (s Storage) BucketLocation() string {
	if s.Bucket != "" {
		return s.Bucket
	}
	return filepath.Join(s.Data, "bucket")
}

// CacheDir is a folder that may be deleted whenever no server runs.
func (s Storage) CacheDir() string { return filepath.Join(s.Data, "cache") }

// Check reports the first setting that cannot work.
func (c Config) Check() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("--listen %q: want HOST:PORT or :PORT", c.Listen)
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return fmt.Errorf("--public-url %q: want http://HOST or https://HOST", c.PublicURL)
		}
		if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return fmt.Errorf("--public-url %q: a path is not supported, give the hub a host of its own", c.PublicURL)
		}
	}
	if c.CacheSize < 0 {
		return fmt.Errorf("--cache-size must not be negative")
	}
	if c.LFSPartSize < 1<<20 || c.LFSMultipartAbove < 1 {
		return fmt.Errorf("--lfs-part-size must be at least 1048576 and --lfs-multipart-above positive")
	}
	return nil
}

// OpenURL is the address to show to whoever started the server, given the one
// that it listens on.
func (c Config) OpenURL(listening net.Addr) string {
	if c.PublicURL != "" {
		return strings.TrimSuffix(c.PublicURL, "/")
	}
	_, port, err := net.SplitHostPort(listening.String())
	if err != nil {
		return "http://" + listening.String()
	}
	host, _, _ := net.SplitHostPort(c.Listen)
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
