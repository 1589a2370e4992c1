package git

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"sync"

	"github.com/klauspost/compress/zlib"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/store"
)

// Kinds of git object, as the store and git name them.
const (
	KindCommit = "commit"
	KindTree   = "tree"
	KindBlob   = "blob"
	KindTag    = "tag"
)

// ErrCorrupt is wrapped by every decoding error.
var ErrCorrupt = errors.New("git: corrupt object")

func corruptf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// Hash returns the id of an object.
func Hash(kind string, payload []byte) hub.OID {
	h := NewHasher(kind, int64(len(payload)))
	h.Write(payload)
	return hub.OID(h.Sum(nil))
}

// NewHasher returns a hash that yields the id of an object once its size bytes
// of payload were written to it.
func NewHasher(kind string, size int64) hash.Hash {
	h := sha1.New()
	header := append(make([]byte, 0, 32), kind...)
	header = append(header, ' ')
	header = strconv.AppendInt(header, size, 10)
	h.Write(append(header, 0))
	return h
}

// NewObject makes the row of an inline object.
func NewObject(kind string, payload []byte) store.GitObject {
	return store.GitObject{
		OID:  Hash(kind, payload),
		Kind: kind,
		Size: int64(len(payload)),
		Data: Deflate(kind, payload),
	}
}

// NewBlob makes the row of an inline blob.
func NewBlob(content []byte) store.GitObject { return NewObject(KindBlob, content) }

// deflaters and inflaters keep codecs between uses: a deflater is about a
// megabyte of tables.
var (
	deflaters = sync.Pool{New: func() any { return zlib.NewWriter(io.Discard) }}
	inflaters sync.Pool // of io.ReadCloser and zlib.Resetter
)

// Deflate compresses a payload into the zlib stream that a row keeps.
func Deflate(kind string, payload []byte) []byte {
	if kind == KindTree {
		return deflateTree(payload)
	}
	var out bytes.Buffer
	w := deflaters.Get().(*zlib.Writer)
	defer deflaters.Put(w)
	w.Reset(&out)
	// A bytes.Buffer accepts every write.
	w.Write(payload)
	w.Close()
	return out.Bytes()
}

// Inflate decompresses a stream that must hold exactly size bytes. It refuses
// sizes over limit before it allocates.
func Inflate(data []byte, size, limit int64) ([]byte, error) {
	if size < 0 || size > limit {
		return nil, corruptf("object of %d bytes, limit %d", size, limit)
	}
	r, err := newInflater(data)
	if err != nil {
		return nil, corruptf("inflate: %v", err)
	}
	defer inflaters.Put(r)
	out := make([]byte, size)
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, corruptf("inflate %d bytes: %v", size, err)
	}
	var extra [1]byte
	if n, err := r.Read(extra[:]); n != 0 || err != io.EOF { // EOF has checked the checksum
		return nil, corruptf("inflate: more than %d bytes, or a bad checksum", size)
	}
	return out, nil
}

func newInflater(data []byte) (io.ReadCloser, error) {
	src := bytes.NewReader(data)
	if r, ok := inflaters.Get().(io.ReadCloser); ok {
		err := r.(zlib.Resetter).Reset(src, nil)
		return r, err
	}
	return zlib.NewReader(src)
}
