package hubapi

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"path"

	"github.com/pantryhub/pantry/hub"
	"github.com/pantryhub/pantry/hub/api"
	"github.com/pantryhub/pantry/internal/httpx"
	"github.com/pantryhub/pantry/internal/repo"
	"github.com/pantryhub/pantry/safetensors"
)

// safetensorsMetadata answers GET …/safetensors-metadata/{index file}: the
// index and the header of every weight shard that it names, so that a client
// need not fetch each.
func (s *Server) safetensorsMetadata(w http.ResponseWriter, r *http.Request, route api.Route, rp *repo.Repo) error {
	name := route.Tail()
	commit, err := rp.Resolve(r.Context(), hub.Revision(r.URL.Query().Get("revision")))
	if err != nil {
		return err
	}
	e, err := rp.Entry(r.Context(), commit, name)
	if err != nil {
		return err
	}
	text, err := rp.ReadSmall(r.Context(), e)
	if err != nil {
		return err
	}
	index, err := safetensors.ParseIndex(text)
	if err != nil {
		return hub.Errorf(hub.CodeUnprocessable, "%s is not a safetensors index.", name)
	}
	read := headerReader{rp: rp, commit: commit, left: maxHeaders, known: map[hub.OID]json.RawMessage{}}
	headers := map[string]json.RawMessage{}
	for _, shard := range index.Shards() {
		if headers[shard], err = read.header(r.Context(), path.Join(path.Dir(name), shard)); err != nil {
			return err
		}
	}
	return httpx.JSON(w, http.StatusOK, map[string]any{"index": json.RawMessage(text), "headers": headers})
}

// headerReader reads the JSON headers of weight shards, each content once and
// all of them within a budget.
type headerReader struct {
	rp     *repo.Repo
	commit hub.Commit
	left   int64 // bytes
	known  map[hub.OID]json.RawMessage
}

func (h *headerReader) header(ctx context.Context, name string) (json.RawMessage, error) {
	e, err := h.rp.Entry(ctx, h.commit, name)
	if err != nil {
		return nil, err
	}
	if text, ok := h.known[e.OID]; ok {
		return text, nil
	}
	f, err := h.rp.OpenFile(ctx, e)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Read for its checks: what is sent on is the original text.
	if _, err := safetensors.ReadHeader(f, f.Size(), min(safetensors.MaxHubHeader, h.left)); err != nil {
		return nil, hub.Errorf(hub.CodeUnprocessable, "%s is not a safetensors file, or the headers are too large.", name)
	}
	var size [8]byte
	if _, err := f.ReadAt(size[:], 0); err != nil {
		return nil, err
	}
	text := make([]byte, binary.LittleEndian.Uint64(size[:]))
	if _, err := f.ReadAt(text, int64(len(size))); err != nil {
		return nil, err
	}
	h.left -= int64(len(text))
	h.known[e.OID] = text
	return text, nil
}

// maxHeaders bounds the headers of one answer together.
const maxHeaders = 64 << 20
