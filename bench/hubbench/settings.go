package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// settings are the flags that all subcommands share.
type settings struct {
	Pantry  string        `help:"The pantry binary." default:"bin/pantry" type:"path"`
	Nginx   string        `help:"The nginx binary." default:"nginx"`
	Python  string        `help:"A Python with huggingface_hub and hf_xet." default:"python3" env:"PANTRY_PYTHON"`
	Work    string        `help:"Folder for data, on the disk to measure; files in it are reused." default:"${tmp}/pantry-bench" type:"path"`
	Results string        `help:"Folder for the markdown fragments." default:"bench/results" type:"path"`
	Rounds  int           `help:"Rounds, of whose results the median counts." default:"5"`
	For     time.Duration `help:"Length of a round of small requests." default:"3s"`
	Size    byteSize      `help:"Size of the large files." default:"1GiB"`
	Verbose bool          `help:"Let the hub log to standard error."`
}

func (s *settings) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

// folder makes an empty folder below Work and returns it with its remover.
func (s *settings) folder(name string) (string, func(), error) {
	if err := os.MkdirAll(s.Work, 0o700); err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp(s.Work, name+"-*")
	if err != nil {
		return "", nil, err
	}
	return dir, func() { os.RemoveAll(dir) }, nil
}

// needSpace fails early where a benchmark would fill the disk.
func (s *settings) needSpace(bytes int64) error {
	if err := os.MkdirAll(s.Work, 0o700); err != nil {
		return err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(s.Work, &st); err != nil {
		return fmt.Errorf("free space of %s: %w", s.Work, err)
	}
	free := int64(st.Bavail) * int64(st.Bsize)
	if free < bytes {
		return fmt.Errorf("%s has %s free, %s are needed; choose another --work or a smaller --size", s.Work, byteSize(free), byteSize(bytes))
	}
	return nil
}

// rounds calls every side once per round, in turn, so that whatever else the
// machine does meets all of them alike.
func (s *settings) rounds(ctx context.Context, sides ...func(context.Context) error) error {
	for round := range s.Rounds {
		for _, side := range sides {
			if err := errors.Join(ctx.Err(), side(ctx)); err != nil {
				return fmt.Errorf("round %d: %w", round+1, err)
			}
		}
	}
	return nil
}

// byteSize is a number of bytes that reads and prints as "1GiB".
type byteSize int64

var sizeUnits = []struct {
	name string
	size byteSize
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *byteSize) UnmarshalText(text []byte) error {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 32)
		if err != nil || n <= 0 {
			break
		}
		*b = byteSize(n) * u.size
		return nil
	}
	return fmt.Errorf("%q is no size such as 512MiB", text)
}

func (b byteSize) String() string {
	for _, u := range sizeUnits {
		switch {
		case b < u.size:
		case b%u.size == 0:
			return fmt.Sprintf("%d %s", b/u.size, u.name)
		default:
			return fmt.Sprintf("%.2f %s", float64(b)/float64(u.size), u.name)
		}
	}
	return "0 B"
}

// folderSize sums the apparent sizes of the files below dir.
func folderSize(dir string) (int64, error) {
	var sum int64
	err := filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}
