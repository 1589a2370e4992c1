package casapi

import (
	"net/http"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/internal/cas"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/xet"
)

// The answer of file-chunk-hashes.
type (
	chunkHashesJSON struct {
		TotalChunks     int            `json:"totalChunks"`
		FileSize        int64          `json:"fileSize"`
		Windows         []windowJSON   `json:"windows"`
		HashRanges      []*subtreeJSON `json:"hashRanges"`
		GapVerification []string       `json:"gapVerification"`
	}
	windowJSON struct {
		DirtyByteRange [2]int64 `json:"dirtyByteRange"` // the end is not included
	}
	subtreeJSON struct {
		Nodes   []nodeJSON `json:"nodes"`
		Levels  [][2]int   `json:"levels"`
		AtStart bool       `json:"at_start"`
		AtEnd   bool       `json:"at_end"`
	}
	nodeJSON struct {
		Hash string `json:"hash"`
		Size uint64 `json:"size"`
	}
)

// chunkHashes tells a client that changes ranges of a file what it needs to
// compute the hash of the result.
func (s *Server) chunkHashes(w http.ResponseWriter, r *http.Request, g grant) error {
	f, err := s.open(r, g)
	if err != nil {
		return err
	}
	header := r.Header.Get("X-Range-Dirty")
	if header == "" {
		return hub.Invalidf("X-Range-Dirty is needed.")
	}
	dirty, err := dirtyRanges(header, f.Size())
	if err != nil {
		return err
	}
	hashes, err := f.ChunkHashes(dirty)
	if err != nil {
		return err
	}
	return httpx.JSON(w, http.StatusOK, newChunkHashesJSON(f.Size(), hashes))
}

func newChunkHashesJSON(size int64, c *cas.ChunkHashes) chunkHashesJSON {
	out := chunkHashesJSON{
		TotalChunks: c.Chunks, FileSize: size,
		Windows:         make([]windowJSON, len(c.Windows)),
		HashRanges:      make([]*subtreeJSON, len(c.Gaps)),
		GapVerification: make([]string, len(c.Verification)),
	}
	for i, win := range c.Windows {
		out.Windows[i].DirtyByteRange = [2]int64{win.Bytes.Start, win.Bytes.End}
	}
	for i, t := range c.Gaps {
		out.HashRanges[i] = newSubtreeJSON(t)
	}
	for i, h := range c.Verification {
		out.GapVerification[i] = h.String()
	}
	return out
}

func newSubtreeJSON(t *xet.Subtree) *subtreeJSON {
	if t == nil {
		return nil
	}
	out := &subtreeJSON{Nodes: make([]nodeJSON, len(t.Nodes)), Levels: make([][2]int, len(t.Levels)), AtStart: t.AtStart, AtEnd: t.AtEnd}
	for i, n := range t.Nodes {
		out.Nodes[i] = nodeJSON{n.Hash.String(), n.Size}
	}
	for i, l := range t.Levels {
		out.Levels[i] = [2]int{l.Left, l.Right}
	}
	return out
}
