package hubapi

import (
	"encoding/binary"
	"encoding/json"
	"net/http"
	"path"
	"strings"

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
	headers := map[string]json.RawMessage{}
	for _, shard := range index.Shards() {
		if headers[shard], err = s.rawHeader(r, rp, commit, path.Join(path.Dir(name), shard)); err != nil {
			return err
		}
	}
	return httpx.JSON(w, http.StatusOK, map[string]any{"index": json.RawMessage(text), "headers": headers})
}

// rawHeader reads the JSON header of a weight shard.
func (s *Server) rawHeader(r *http.Request, rp *repo.Repo, commit hub.Commit, name string) (json.RawMessage, error) {
	e, err := rp.Entry(r.Context(), commit, name)
	if err != nil {
		return nil, err
	}
	f, err := rp.OpenFile(r.Context(), e)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Read for its checks: what is sent on is the original text.
	if _, err := safetensors.ReadHeader(f, f.Size(), maxHeader); err != nil {
		return nil, hub.Errorf(hub.CodeUnprocessable, "%s is not a safetensors file.", strings.TrimPrefix(name, "./"))
	}
	var size [8]byte
	if _, err := f.ReadAt(size[:], 0); err != nil {
		return nil, err
	}
	text := make([]byte, binary.LittleEndian.Uint64(size[:]))
	if _, err := f.ReadAt(text, 8); err != nil {
		return nil, err
	}
	return text, nil
}

// maxHeader bounds the header that is sent on, as the Python client does.
const maxHeader = 25_000_000
