package client

// Progress is told how downloads go. Its methods are called from several
// goroutines at once, at most every 256 KiB.
type Progress interface {
	// Begin announces files and bytes that are to be downloaded, in addition
	// to what was announced before.
	Begin(files int, bytes int64)
	// Advance reports n more bytes of a file; bytes that an earlier run left
	// count too. n is negative when a file has to start over.
	Advance(path string, n int64)
	// Finish reports that a file is complete.
	Finish(path string)
}

// silent is the Progress of nobody.
type silent struct{}

func (silent) Begin(int, int64)      {}
func (silent) Advance(string, int64) {}
func (silent) Finish(string)         {}
